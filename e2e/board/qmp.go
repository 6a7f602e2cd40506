package board

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// qmp is QEMU's machine protocol: a JSON object a line, in either direction.
type qmp struct {
	conn    io.ReadWriteCloser
	turn    sync.Mutex
	answers chan answer
}

type answer struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Desc string `json:"desc"`
	} `json:"error"`
	Greeting json.RawMessage `json:"QMP"`
	Event    string          `json:"event"`
}

// newQMP reads in a goroutine; Open leaves the protocol's opening mode.
func newQMP(conn io.ReadWriteCloser) *qmp {
	q := &qmp{conn: conn, answers: make(chan answer)}
	go func() {
		defer close(q.answers)
		decoder := json.NewDecoder(conn)
		for {
			var a answer
			if decoder.Decode(&a) != nil {
				return
			}
			if a.Event == "" && a.Greeting == nil {
				q.answers <- a
			}
		}
	}()
	return q
}

// execute asks and waits for the answer; QEMU gives one to each command, at
// once, or is gone.
func (q *qmp) execute(command string, arguments any) error {
	q.turn.Lock()
	defer q.turn.Unlock()
	question := map[string]any{"execute": command}
	if arguments != nil {
		question["arguments"] = arguments
	}
	text, err := json.Marshal(question)
	if err != nil {
		return err
	}
	if _, err := q.conn.Write(append(text, '\n')); err != nil {
		return errors.Join(ErrOff, err)
	}
	a, there := <-q.answers
	switch {
	case !there:
		return ErrOff
	case a.Error != nil:
		return fmt.Errorf("QEMU refuses %s: %s", command, a.Error.Desc)
	}
	return nil
}

// close lets the reader end, whatever it was about to say.
func (q *qmp) close() {
	q.conn.Close()
	for range q.answers {
	}
}
