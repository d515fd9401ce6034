package runner

// #include <runner.h>
import "C"

import "syscall"

// Machine is what the machine offers to this process. For what it does not, Blocker says why where it is known.
type Machine struct {
	// KernelMajor and KernelMinor are the kernel's version.
	KernelMajor, KernelMinor int
	// Clone3: clone3(2), Linux 5.3.
	Clone3 bool
	// IntoCgroup: a process can be born in its cgroup, Linux 5.7.
	IntoCgroup bool
	// PidFD: pidfds from clone, Linux 5.2.
	PidFD bool
	// CloseRange: close_range(2), Linux 5.9.
	CloseRange bool
	// MountSetattr: mount_setattr(2), Linux 5.12: read-only binds with everything beneath them.
	MountSetattr bool
	// Openat2: openat2(2), Linux 5.6: targets that cannot lead out of the new root.
	Openat2 bool
	// TimeNamespace: Linux 5.6.
	TimeNamespace bool
	// UserNamespace: one can be made, and gives capabilities, by this process now (tried).
	UserNamespace bool
	// PrivilegedNamespaces: all but the user one can be made without a user namespace (tried).
	PrivilegedNamespaces bool
	// Seccomp: filters.
	Seccomp bool
	// Landlock is its ABI version, 0 where there is none.
	Landlock int
	// CgroupV2 and CgroupV1: such a hierarchy is mounted.
	CgroupV2, CgroupV1 bool
	// CgroupV2Writable: this process may make cgroups beneath its own v2 cgroup.
	CgroupV2Writable bool
	// ControllersV2 are those that children of this process's cgroup can be given.
	ControllersV2 Controllers
	// ControllersV1 are those with a mounted hierarchy.
	ControllersV1 Controllers
	// ControllersV1Writable are those beneath whose current cgroup this process may make cgroups.
	ControllersV1Writable Controllers
	// RunsMiss is what watched runs would have to do without, where no CgroupRoots say otherwise, but for MissingTree.
	RunsMiss Missing
	// Blocker says why something is missing and what to do, a sentence a line.
	Blocker string
}

// Controllers of cgroups, or'ed together.
type Controllers uint32

// The controllers.
const (
	// The cpu controller.
	ControllerCPU Controllers = C.RUNNER_CONTROLLER_CPU
	// The cpuacct controller (v1 only).
	ControllerCPUAcct Controllers = C.RUNNER_CONTROLLER_CPUACCT
	// The memory controller.
	ControllerMemory Controllers = C.RUNNER_CONTROLLER_MEMORY
	// The pids controller.
	ControllerPIDs Controllers = C.RUNNER_CONTROLLER_PIDS
	// The cpuset controller.
	ControllerCPUSet Controllers = C.RUNNER_CONTROLLER_CPUSET
	// The io (v2) or blkio (v1) controller.
	ControllerIO Controllers = C.RUNNER_CONTROLLER_IO
	// The freezer (v1; part of every v2 cgroup).
	ControllerFreezer Controllers = C.RUNNER_CONTROLLER_FREEZER
)

// Probe finds out what this machine offers, by trying it where that is the only sure way: it starts two short-lived
// processes.
func Probe() (*Machine, error) {
	if err := checkVersion(); err != nil {
		return nil, err
	}
	p := C.runner_probe_t{size: C.sizeof_runner_probe_t}
	var code C.int
	starts.pass(func() { code = C.runner_probe(&p) })
	if code < 0 {
		return nil, syscall.Errno(-code)
	}
	return &Machine{
		KernelMajor:           int(p.kernel >> 16),
		KernelMinor:           int(p.kernel & 0xffff),
		Clone3:                p.clone3 != 0,
		IntoCgroup:            p.into_cgroup != 0,
		PidFD:                 p.pidfd != 0,
		CloseRange:            p.close_range != 0,
		MountSetattr:          p.mount_setattr != 0,
		Openat2:               p.openat2 != 0,
		TimeNamespace:         p.time_namespace != 0,
		UserNamespace:         p.user_namespace != 0,
		PrivilegedNamespaces:  p.privileged_namespaces != 0,
		Seccomp:               p.seccomp != 0,
		Landlock:              int(p.landlock),
		CgroupV2:              p.cgroup_v2 != 0,
		CgroupV1:              p.cgroup_v1 != 0,
		CgroupV2Writable:      p.cgroup_v2_writable != 0,
		ControllersV2:         Controllers(p.controllers_v2),
		ControllersV1:         Controllers(p.controllers_v1),
		ControllersV1Writable: Controllers(p.controllers_v1_writable),
		RunsMiss:              Missing(p.runs_miss),
		Blocker:               C.GoString(&p.blocker[0]),
	}, nil
}
