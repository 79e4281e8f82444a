// Package jsonlist reads and writes long JSON lists item by item: a small text
// cannot fill the memory with empty items, and each item has a line of its own.
package jsonlist

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrTooMany says that a list has more items than are read.
var ErrTooMany = errors.New("a list in it is too long")

// Each gives the decoder to item at each of a list's items, at most max. null is
// an empty list.
func Each(data []byte, max int, item func(*json.Decoder) error) error {
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil {
		return err
	} else if t != json.Delim('[') {
		return fmt.Errorf("it has %.40q in place of a list", fmt.Sprint(t))
	}
	for n := 0; d.More(); n++ {
		if n == max {
			return fmt.Errorf("%w: it has more than %d items", ErrTooMany, max)
		}
		if err := item(d); err != nil {
			return err
		}
	}
	return nil
}

// Write writes a list, one item to a line.
func Write[T any](out *bytes.Buffer, items []T) error {
	out.WriteByte('[')
	for i := range items {
		line, err := json.Marshal(&items[i])
		if err != nil {
			return err
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
		out.Write(line)
	}
	out.WriteByte(']')
	return nil
}
