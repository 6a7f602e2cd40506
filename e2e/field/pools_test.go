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

// use is what a board has in use: of its heap, and of lwIP's memory.
type use struct {
	heap int
	lwip used
}

func (u use) String() string { return fmt.Sprintf("heap %d, lwIP %v", u.heap, u.lwip) }

func (u use) atMost(other use) bool {
	for name, n := range u.lwip {
		if n > other.lwip[name] {
			return false
		}
	}
	return u.heap <= other.heap
}

// rest is what the board has in use without a connection, whose header tables
// would grow with each request. It polls until that is at most what it was
// before, if it was. The node is Ready again afterwards.
func (s *site) rest(t *testing.T, before *use) use {
	t.Helper()
	if err := s.api.Refuse(true); err != nil {
		t.Fatal(err)
	}
	s.api.ResetAll()
	least := s.use(t)
	deadline := time.Now().Add(patience)
	// It tries to connect from time to time: the least of each is what counts.
	for n := 0; n < 12 || before != nil && !least.atMost(*before); n++ {
		if time.Now().After(deadline) {
			t.Fatalf("in use: %v; before: %v", least, before)
		}
		time.Sleep(100 * time.Millisecond)
		now := s.use(t)
		least.heap = min(least.heap, now.heap)
		for name, n := range now.lwip {
			least.lwip[name] = min(least.lwip[name], n)
		}
	}
	if err := s.api.Refuse(false); err != nil {
		t.Fatal(err)
	}
	s.ready(t, patience)
	return least
}

func (s *site) use(t *testing.T) use { return use{s.figure(t, "heap-used"), s.pools(t)} }
