package lab

import (
	"encoding/binary"
	"io"
	"time"
)

// The pcap format, https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html
const (
	captureMagic    = 0xa1b2c3d4 // times in microseconds
	captureMajor    = 2
	captureMinor    = 4
	captureEthernet = 1
)

func writeCaptureHeader(w io.Writer) error {
	return binary.Write(w, binary.LittleEndian, struct {
		Magic                  uint32
		Major, Minor           uint16
		Reserved1, Reserved2   uint32
		MaxCaptured, LinkLayer uint32
	}{captureMagic, captureMajor, captureMinor, 0, 0, maxFrame, captureEthernet})
}

func writeCaptured(w io.Writer, frame []byte) error {
	now := time.Now()
	record := make([]byte, 0, 16+len(frame))
	for _, field := range []int{int(now.Unix()), now.Nanosecond() / 1000, len(frame), len(frame)} {
		record = binary.LittleEndian.AppendUint32(record, uint32(field))
	}
	_, err := w.Write(append(record, frame...))
	return err
}
