package runner

// #cgo pkg-config: librunner
// #include <runner.h>
import "C"

import (
	"fmt"
	"sync"
)

// What this package was compiled against. While it is 0.x, each minor may change something.
const compiled = C.RUNNER_VERSION

// Version is the version of the loaded library.
func Version() string {
	version := uint32(C.runner_version())
	return fmt.Sprintf("%d.%d.%d", version>>16, version>>8&0xff, version&0xff)
}

// checkVersion fails where the loader has found another library than this package can use.
var checkVersion = sync.OnceValue(func() error { return fits(uint32(C.runner_version())) })

func fits(version uint32) error {
	if version>>8 == compiled>>8 {
		return nil
	}
	return fmt.Errorf("runner: the library is %d.%d, this package needs %d.%d",
		version>>16, version>>8&0xff, compiled>>16, compiled>>8&0xff)
}
