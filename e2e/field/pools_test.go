package field

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"femtokubelet.dev/e2e/board"
)

// RAM of QEMU's mps2-an385 that the firmware is linked into.
const (
	ramStart = 0x20000000
	ramLen   = 96 << 10
)

// memory is a board's RAM at one instant, and the program that uses it.
type memory struct {
	ram     []byte
	program *elf.File
	symbols map[string]elf.Symbol
}

// program reads what the firmware has where.
func program(t *testing.T) *memory {
	t.Helper()
	image, err := board.Image()
	if err != nil {
		t.Fatal(err)
	}
	m := &memory{symbols: map[string]elf.Symbol{}}
	if m.program, err = elf.Open(image); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.program.Close() })
	symbols, err := m.program.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, symbol := range symbols {
		name, _, _ := strings.Cut(symbol.Name, ".") // ".lto_priv.0"
		m.symbols[name] = symbol
	}
	return m
}

// at reads RAM, or the program's constants.
func (m *memory) at(t *testing.T, address uint64, length int) []byte {
	t.Helper()
	if address >= ramStart && address+uint64(length) <= ramStart+uint64(len(m.ram)) {
		return m.ram[address-ramStart:][:length]
	}
	for _, part := range m.program.Progs {
		if part.Type == elf.PT_LOAD && address >= part.Vaddr && address+uint64(length) <= part.Vaddr+part.Filesz {
			data := make([]byte, length)
			if _, err := part.ReadAt(data, int64(address-part.Vaddr)); err != nil {
				t.Fatal(err)
			}
			return data
		}
	}
	t.Fatalf("no memory at %#x", address)
	return nil
}

func (m *memory) word(t *testing.T, address uint64) uint64 {
	t.Helper()
	return uint64(binary.LittleEndian.Uint32(m.at(t, address, 4)))
}

// used is what lwIP has taken from its pools, and the bytes of its heap.
type used map[string]int

func (u used) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(u)) {
		fmt.Fprintf(&b, "%s %d ", name, u[name])
	}
	return strings.TrimSpace(b.String())
}

const heapName = "heap"

// pools follows lwIP's lists of what is free (struct memp_desc: size, number,
// base, first free) and its heap's blocks (struct mem: next, previous, used).
func (s *site) pools(t *testing.T) used {
	t.Helper()
	if s.program == nil {
		s.program = program(t)
	}
	m := s.program
	var err error
	if m.ram, err = s.board.ReadMemory(ramStart, ramLen); err != nil {
		t.Fatal(err)
	}
	u := used{}
	for _, name := range []string{"PBUF_POOL", "TCP_PCB", "TCP_SEG", "UDP_PCB"} {
		symbol, there := m.symbols["memp_"+name]
		if !there {
			t.Fatalf("no symbol memp_%s", name)
		}
		description := m.at(t, symbol.Value, 12)
		count := int(binary.LittleEndian.Uint16(description[2:]))
		next := m.word(t, uint64(binary.LittleEndian.Uint32(description[8:])))
		free := 0
		for ; next != 0 && free <= count; free++ {
			next = m.word(t, next)
		}
		if free > count {
			t.Fatalf("pool %s has more free elements than elements", name)
		}
		u[name] = count - free
	}
	u[heapName] = m.heap(t)
	return u
}

func (m *memory) heap(t *testing.T) int {
	t.Helper()
	const alignment, headLen = 4, 8
	symbol, there := m.symbols["ram_heap"]
	if !there {
		t.Fatal("no symbol ram_heap")
	}
	start := (symbol.Value + alignment - 1) &^ (alignment - 1)
	taken := 0
	for at := 0; ; {
		block := m.at(t, start+uint64(at), headLen)
		next := int(binary.LittleEndian.Uint16(block))
		if next <= at {
			return taken // the last one is its own successor
		}
		if next > int(symbol.Size) {
			t.Fatalf("lwIP's heap has a block at %d whose successor is at %d", at, next)
		}
		if block[4] != 0 {
			taken += next - at - headLen
		}
		at = next
	}
}

// steady waits until a connection has been in use for some renewals: its header
// tables grow with the first requests.
func (s *site) steady(t *testing.T, renewals int) {
	t.Helper()
	for range renewals {
		s.ready(t, patience)
	}
}

// rest is what the board has in use when nothing is under way: the least of
// each within a moment.
func (s *site) rest(t *testing.T) (pools used, heap int) {
	t.Helper()
	heap = s.figure(t, "heap-used")
	pools = s.pools(t)
	for range 8 {
		time.Sleep(150 * time.Millisecond)
		heap = min(heap, s.figure(t, "heap-used"))
		for name, n := range s.pools(t) {
			pools[name] = min(pools[name], n)
		}
	}
	return pools, heap
}

// settles polls until no more is in use than before.
func (s *site) settles(t *testing.T, before used, heapBefore int) (pools used, heap int) {
	t.Helper()
	const slack = 64 // texts differ in length
	deadline := time.Now().Add(patience)
	for {
		pools, heap = s.rest(t)
		grown := heap > heapBefore+slack
		for name, n := range pools {
			grown = grown || n > before[name]
		}
		if !grown {
			return pools, heap
		}
		if time.Now().After(deadline) {
			t.Fatalf("in use: heap %d, lwIP's pools %v; before: heap %d, pools %v", heap, pools, heapBefore, before)
		}
	}
}
