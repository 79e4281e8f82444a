package judge

import "hash/maphash"

// sieve is a set of strings that may say yes of one that it does not have, and
// never no of one that it has. It is small enough to stay in the processor's
// cache where a map of the same strings is not.
type sieve struct {
	seed maphash.Seed
	bits []uint64
	mask uint64
}

// bitsEach is how many bits a sieve has for each string, at least.
const bitsEach = 16

// newSieve makes a sieve for n strings.
func newSieve(n int) sieve {
	size := uint64(64)
	for size < uint64(n)*bitsEach {
		size *= 2
	}
	return sieve{maphash.MakeSeed(), make([]uint64, size/64), size - 1}
}

func (s sieve) add(text string) {
	bit := maphash.String(s.seed, text) & s.mask
	s.bits[bit/64] |= 1 << (bit % 64)
}

func (s sieve) has(text string) bool {
	bit := maphash.String(s.seed, text) & s.mask
	return s.bits[bit/64]&(1<<(bit%64)) != 0
}
