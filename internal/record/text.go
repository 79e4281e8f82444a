package record

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
)

// opaquePrefix marks a string of the record's JSON that holds the base64 of
// bytes which are no UTF-8 (file names may be any bytes), or which begin with
// NUL themselves. JSON alone would replace such bytes.
const opaquePrefix = "\x00base64:"

// marshal encodes v, a pointer, without losing a byte of any string.
func marshal(v any, indent string) ([]byte, error) {
	data, err := plain(v, indent)
	if err != nil {
		return nil, err
	}
	// encoding/json writes the escape \ufffd for a byte that is no UTF-8, and
	// the character itself for the character.
	if !bytes.Contains(data, []byte(`\ufffd`)) && !bytes.Contains(data, []byte(`"\u0000`)) {
		return data, nil
	}
	copied := reflect.New(reflect.TypeOf(v).Elem())
	copied.Elem().Set(rewrite(reflect.ValueOf(v).Elem(), func(s string) string {
		if utf8.ValidString(s) && !strings.HasPrefix(s, "\x00") {
			return s
		}
		return opaquePrefix + base64.StdEncoding.EncodeToString([]byte(s))
	}))
	return plain(copied.Interface(), indent)
}

func plain(v any, indent string) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	err := enc.Encode(v)
	return out.Bytes(), err
}

// unmarshal is the inverse of marshal.
func unmarshal(data []byte, v any) error {
	dec := decoder(data)
	if err := dec.Decode(v); err != nil {
		return err
	}
	if err := ended(dec); err != nil {
		return err
	}
	return restore(data, v)
}

// decoder refuses fields that it does not know: they could hold a reason
// against a conclusion.
func decoder(data []byte) *json.Decoder {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec
}

func ended(dec *json.Decoder) error {
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("there is more than one value")
	}
	return nil
}

// restore gives the strings of v, which was decoded from data, the bytes that
// they had before marshal.
func restore(data []byte, v any) error {
	if !bytes.Contains(data, []byte(`"\u0000`)) {
		return nil
	}
	var bad error
	at := reflect.ValueOf(v).Elem()
	at.Set(rewrite(at, func(s string) string {
		encoded, ok := strings.CutPrefix(s, opaquePrefix)
		if !ok {
			return s
		}
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			bad = err
		}
		return string(raw)
	}))
	return bad
}

// rewrite gives a copy of v with f applied to every string in it but the names
// of maps' entries. Values without strings are shared with v.
func rewrite(v reflect.Value, f func(string) string) reflect.Value {
	copied := reflect.New(v.Type()).Elem()
	copied.Set(v)
	switch v.Kind() {
	case reflect.String:
		copied.SetString(f(v.String()))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			break
		}
		for i := range v.NumField() {
			// An embedded struct of an unexported type can only be changed
			// field by field: see observation.
			if v.Type().Field(i).IsExported() {
				copied.Field(i).Set(rewrite(v.Field(i), f))
			} else {
				for j := range v.Field(i).NumField() {
					copied.Field(i).Field(j).Set(rewrite(v.Field(i).Field(j), f))
				}
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			break
		}
		copied.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			copied.Index(i).Set(rewrite(v.Index(i), f))
		}
	case reflect.Map:
		if v.IsNil() {
			break
		}
		copied.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
		for _, key := range v.MapKeys() {
			copied.SetMapIndex(key, rewrite(v.MapIndex(key), f))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			copied.Set(reflect.New(v.Type().Elem()))
			copied.Elem().Set(rewrite(v.Elem(), f))
		}
	}
	return copied
}

// lines encodes a list as JSON lines.
func lines[T any](list []T, wire func(*T) any) ([]byte, error) {
	if len(list) > maxLines {
		return nil, fmt.Errorf("it has %d lines, at most %d are allowed", len(list), maxLines)
	}
	var out bytes.Buffer
	for i := range list {
		line, err := marshal(wire(&list[i]), "")
		if err != nil {
			return nil, err
		}
		out.Write(line)
	}
	return out.Bytes(), nil
}

// maxLines bounds a list: a short line can stand for far more memory.
const maxLines = 2 << 20

// items is the inverse of lines. The number of lines must be want.
func items[W, T any](files map[string][]byte, name string, want int, unwire func(*W) T) ([]T, error) {
	data := files[name]
	if got := bytes.Count(data, []byte("\n")); got != want {
		return nil, fmt.Errorf("%s has %d lines, %d are announced", name, got, want)
	}
	if want > maxLines {
		return nil, fmt.Errorf("%s has %d lines, at most %d are allowed", name, want, maxLines)
	}
	var list []T
	if want > 0 {
		list = make([]T, 0, want)
	}
	dec := decoder(data)
	for range want {
		var w W
		start := dec.InputOffset()
		err := dec.Decode(&w)
		if err == nil {
			err = restore(data[start:dec.InputOffset()], &w)
		}
		if err != nil {
			return nil, fmt.Errorf("decoding line %d of %s: %w", len(list)+1, name, err)
		}
		list = append(list, unwire(&w))
	}
	return list, ended(dec)
}

// settle brings every value under the pointer v to the one form that writing
// and reading keep: times in UTC without a monotonic clock, empty lists and
// maps as nil.
func settle(v any) { settleValue(reflect.ValueOf(v).Elem()) }

func settleValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if at, ok := v.Addr().Interface().(*time.Time); ok {
			*at = at.Round(0).UTC()
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				settleValue(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Len() == 0 {
			v.SetZero()
		}
		switch v.Type().Elem().Kind() {
		case reflect.Struct, reflect.Slice:
			for i := range v.Len() {
				settleValue(v.Index(i))
			}
		}
	case reflect.Map:
		if v.Len() == 0 {
			v.SetZero()
		}
		for _, key := range v.MapKeys() {
			if item := v.MapIndex(key); item.Kind() == reflect.Slice && item.Len() == 0 {
				v.SetMapIndex(key, reflect.Zero(item.Type()))
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			settleValue(v.Elem())
		}
	}
}
