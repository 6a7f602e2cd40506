package lab

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// arrival is a frame that came through a lane, and when.
type arrival struct {
	number int
	after  time.Duration
}

// through sends n numbered frames, one per gap, in virtual time.
func through(t *testing.T, i Impairment, n int, gap time.Duration) ([]arrival, Counts) {
	t.Helper()
	var arrived []arrival
	var counts Counts
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		l := newLane(1, ToBoard, func(frame []byte) bool {
			arrived = append(arrived, arrival{int(binary.BigEndian.Uint32(frame)), time.Since(began)})
			return true
		})
		stop := make(chan struct{})
		go l.run(stop)
		l.set(i)
		for number := range n {
			l.send(binary.BigEndian.AppendUint32(nil, uint32(number)))
			time.Sleep(gap)
		}
		time.Sleep(time.Minute)
		close(stop)
		synctest.Wait()
		counts = l.snapshot()
	})
	return arrived, counts
}

func numbers(arrived []arrival) (list []int) {
	for _, a := range arrived {
		list = append(list, a.number)
	}
	return list
}

func TestGoodLineChangesNothing(t *testing.T) {
	arrived, counts := through(t, Impairment{}, 100, time.Millisecond)
	for i, a := range arrived {
		if a.number != i || a.after != time.Duration(i)*time.Millisecond {
			t.Fatalf("frame %d came as number %d after %v", a.number, i, a.after)
		}
	}
	if want := (Counts{Offered: 100, Delivered: 100}); counts != want {
		t.Errorf("%+v, want %+v", counts, want)
	}
}

func TestLossAndDuplicates(t *testing.T) {
	const n = 2000
	arrived, counts := through(t, Impairment{Loss: 0.3}, n, time.Millisecond)
	if len(arrived) < n*65/100 || len(arrived) > n*75/100 || counts.Lost+len(arrived) != n {
		t.Errorf("of %d frames, %d arrived with 30 %% loss; %+v", n, len(arrived), counts)
	}
	again, _ := through(t, Impairment{Loss: 0.3}, n, time.Millisecond)
	if !slices.Equal(numbers(arrived), numbers(again)) {
		t.Error("the same seed, but other frames were lost")
	}
	arrived, counts = through(t, Impairment{Duplicate: 0.1}, n, time.Millisecond)
	if len(arrived) < n*108/100 || len(arrived) > n*112/100 || counts.Duplicated+n != len(arrived) {
		t.Errorf("of %d frames, %d arrived with 10 %% duplicates; %+v", n, len(arrived), counts)
	}
	if arrived, _ = through(t, Impairment{Loss: 1}, 100, 0); len(arrived) > 0 {
		t.Errorf("%d frames passed a line that loses all", len(arrived))
	}
	if arrived, _ = through(t, Impairment{Duplicate: 1}, 100, 0); len(arrived) != 200 {
		t.Errorf("%d frames came of 100 doubled ones", len(arrived))
	}
}

func TestDelayKeepsTheOrder(t *testing.T) {
	delay, jitter := 100*time.Millisecond, 50*time.Millisecond
	arrived, _ := through(t, Impairment{Delay: delay, Jitter: jitter}, 500, time.Millisecond)
	least, most := time.Hour, time.Duration(0)
	for i, a := range arrived {
		if a.number != i {
			t.Fatalf("frame %d came as number %d", a.number, i)
		}
		took := a.after - time.Duration(i)*time.Millisecond
		least, most = min(least, took), max(most, took)
	}
	if len(arrived) != 500 || least < delay-jitter || most > delay+jitter || most-least < jitter/2 {
		t.Errorf("%d frames, delayed by %v to %v", len(arrived), least, most)
	}
}

func TestReorder(t *testing.T) {
	arrived, counts := through(t, Impairment{Delay: 20 * time.Millisecond, Reorder: 0.25}, 1000, time.Millisecond)
	ahead := 0
	for i, a := range arrived {
		if a.after == time.Duration(a.number)*time.Millisecond {
			ahead++
		}
		if i > 0 && a.after < arrived[i-1].after {
			t.Fatal("time runs backwards")
		}
	}
	if len(arrived) != 1000 || ahead < 200 || ahead > 300 || ahead != counts.Overtaken || slices.IsSorted(numbers(arrived)) {
		t.Errorf("%d frames, %d of them ahead; %+v", len(arrived), ahead, counts)
	}
}

func TestQueueIsBounded(t *testing.T) {
	arrived, counts := through(t, Impairment{Delay: time.Second}, queueMax+7, 0)
	if len(arrived) != queueMax || counts.Dropped != 7 || arrived[queueMax-1].number != queueMax-1 {
		t.Errorf("%d frames arrived; %+v", len(arrived), counts)
	}
}

func TestCutDropsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		arrived := 0
		l := newLane(1, ToBoard, func([]byte) bool { arrived++; return true })
		stop := make(chan struct{})
		go l.run(stop)
		l.set(Impairment{Delay: time.Second})
		l.send([]byte("under way"))
		l.cut(true)
		l.send([]byte("too late"))
		time.Sleep(time.Minute)
		l.cut(false)
		l.send([]byte("back"))
		time.Sleep(time.Minute)
		close(stop)
		if counts := l.snapshot(); arrived != 1 || counts.Dropped != 2 || counts.Delivered != 1 {
			t.Errorf("%d arrived; %+v", arrived, counts)
		}
	})
}

func TestNonsenseIsRefused(t *testing.T) {
	for _, row := range []struct {
		i  Impairment
		ok bool
	}{
		{Impairment{}, true},
		{Impairment{Loss: 1, Duplicate: 1}, true},
		{Impairment{Loss: 1.01}, false},
		{Impairment{Duplicate: -0.1}, false},
		{Impairment{Delay: 5, Jitter: 5, Reorder: 1}, true},
		{Impairment{Delay: 5, Jitter: 6}, false},
		{Impairment{Jitter: -1}, false},
		{Impairment{Reorder: 0.5}, false},
	} {
		t.Run(fmt.Sprintf("%+v", row.i), func(t *testing.T) {
			if err := row.i.check(); (err == nil) != row.ok {
				t.Error(err)
			}
		})
	}
}
