package lab

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Impairment is what a bad line does to frames, with the meanings of `tc
// netem`, which not every kernel has. Shares are from 0 to 1.
type Impairment struct {
	Loss      float64
	Duplicate float64
	// Delay is for each frame, give or take up to Jitter; the order stays.
	Delay, Jitter time.Duration
	// Reorder is the share of frames that overtake those that wait for Delay.
	Reorder float64
}

func (i Impairment) check() error {
	for _, share := range []float64{i.Loss, i.Duplicate, i.Reorder} {
		if !(share >= 0 && share <= 1) {
			return fmt.Errorf("a share of %v is not between 0 and 1", share)
		}
	}
	if i.Jitter < 0 || i.Jitter > i.Delay {
		return fmt.Errorf("jitter %v is not between 0 and the delay %v", i.Jitter, i.Delay)
	}
	if i.Reorder > 0 && i.Delay == 0 {
		return fmt.Errorf("without a delay, there is nothing to overtake")
	}
	return nil
}

// Counts of the frames in one direction.
type Counts struct {
	Offered    int // by the sender
	Lost       int // by Impairment.Loss
	Duplicated int // copies made
	Overtaken  int // frames that went ahead of others' delay
	Dropped    int // cable down, queue full, or no board there
	Delivered  int
}

// queueMax bounds what waits in one direction, as netem's does.
const queueMax = 1000

type waiting struct {
	due   time.Time
	frame []byte
}

// lane is one direction of a cable.
type lane struct {
	deliver func(frame []byte) bool // says whether anybody took it
	wake    chan struct{}

	mu         sync.Mutex
	random     *rand.Rand
	impairment Impairment
	down       bool
	queue      []waiting // the next one first
	last       time.Time // when the last frame in order is due
	counts     Counts
}

func newLane(seed uint64, direction Direction, deliver func([]byte) bool) *lane {
	return &lane{
		deliver: deliver,
		wake:    make(chan struct{}, 1),
		random:  rand.New(rand.NewPCG(seed, uint64(direction))),
	}
}

// send lets the line do to a frame what it does; the frame is its own now.
func (l *lane) send(frame []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts.Offered++
	// Always the same number of draws: the fate of the n-th frame depends on
	// the seed only.
	lost, doubled := l.random.Float64() < l.impairment.Loss, l.random.Float64() < l.impairment.Duplicate
	ahead, spread := l.random.Float64() < l.impairment.Reorder, 2*l.random.Float64()-1
	if l.down {
		l.counts.Dropped++
		return
	}
	if lost {
		l.counts.Lost++
		return
	}
	due := time.Now()
	if ahead {
		l.counts.Overtaken++
	} else {
		due = due.Add(l.impairment.Delay + time.Duration(spread*float64(l.impairment.Jitter)))
		if due.Before(l.last) {
			due = l.last
		}
		l.last = due
	}
	l.push(waiting{due, frame})
	if doubled {
		l.counts.Duplicated++
		l.push(waiting{due, frame})
	}
}

// push keeps frames that are due at the same time in order.
func (l *lane) push(w waiting) {
	if len(l.queue) >= queueMax {
		l.counts.Dropped++
		return
	}
	at := len(l.queue)
	for at > 0 && w.due.Before(l.queue[at-1].due) {
		at--
	}
	l.queue = slices.Insert(l.queue, at, w)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run delivers until stop is closed.
func (l *lane) run(stop <-chan struct{}) {
	for {
		frame, wait := l.next()
		if frame != nil {
			taken := l.deliver(frame)
			l.mu.Lock()
			if taken {
				l.counts.Delivered++
			} else {
				l.counts.Dropped++
			}
			l.mu.Unlock()
			continue
		}
		select {
		case <-l.wake:
		case <-time.After(wait):
		case <-stop:
			return
		}
	}
}

// next returns the frame that is due, or how long there is none.
func (l *lane) next() ([]byte, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return nil, time.Hour
	}
	if wait := time.Until(l.queue[0].due); wait > 0 {
		return nil, wait
	}
	frame := l.queue[0].frame
	l.queue = l.queue[1:]
	return frame, 0
}

func (l *lane) set(i Impairment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.impairment = i
}

// cut drops what is under way, and all that comes while it is down.
func (l *lane) cut(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
	if down {
		l.counts.Dropped += len(l.queue)
		l.queue = nil
	}
}

func (l *lane) snapshot() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}
