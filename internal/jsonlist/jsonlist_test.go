package jsonlist

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
)

func read(data string, max int) (got []int, err error) {
	err = Each([]byte(data), max, func(d *json.Decoder) error {
		var n int
		err := d.Decode(&n)
		got = append(got, n)
		return err
	})
	return got, err
}

func TestEach(t *testing.T) {
	for _, c := range []struct {
		data  string
		want  []int
		fails bool
	}{
		{"[1, 2,3]", []int{1, 2, 3}, false}, {"[]", nil, false}, {"null", nil, false},
		{`{"a": 1}`, nil, true}, {`"text"`, nil, true}, {"", nil, true}, {`["a"]`, []int{0}, true}, {"[1", []int{1}, false},
	} {
		if got, err := read(c.data, 3); (err != nil) != c.fails || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", c.data, got, err)
		}
	}
	if got, err := read("[1,2,3,4]", 3); !errors.Is(err, ErrTooMany) || len(got) != 3 {
		t.Errorf("one more than there may be: %v, %v", got, err)
	}
}

func TestWrite(t *testing.T) {
	for want, items := range map[string][]any{"[]": nil, "[\n1,\n\"a\",\n{}]": {1, "a", struct{}{}}} {
		var out bytes.Buffer
		if err := Write(&out, items); err != nil || out.String() != want {
			t.Errorf("%q, %v", out.String(), err)
		}
	}
	if err := Write(&bytes.Buffer{}, []any{func() {}}); err == nil {
		t.Error("a function is written")
	}
}
