package runner

// #include <linux/filter.h>
// #include <stdlib.h>
// #include <runner.h>
import "C"

import (
	"fmt"
	"math"
	"syscall"
	"unsafe"
)

// options is a runner_t in the making, the C memory that its setters read, and the first thing that was wrong.
type options struct {
	runner *C.runner_t
	memory []unsafe.Pointer
	err    error
}

// The library copies what it is given, so this is freed when the start returns.
func (c *Cmd) options(io *stdio) (*options, error) {
	if err := checkVersion(); err != nil {
		return nil, err
	}
	o := &options{runner: C.runner_new()}
	if o.runner == nil {
		return nil, syscall.ENOMEM
	}
	o.program(c)
	o.stdio(c, io)
	o.namespaces(c)
	o.identity(c)
	o.root(c)
	o.privileges(c)
	o.attributes(c)
	o.limits(c)
	if o.err != nil {
		o.free()
		return nil, o.err
	}
	return o, nil
}

func (o *options) free() {
	C.runner_free(o.runner)
	for _, block := range o.memory {
		C.free(block)
	}
}

func (o *options) program(c *Cmd) {
	// Without any the library says so when it starts: that is stage options, as in C.
	if len(c.Args) > 0 {
		o.check("Args", C.runner_set_args(o.runner, o.texts("Args", c.Args)))
	}
	o.check("Env", C.runner_set_env(o.runner, o.texts("Env", c.Env)))
	if c.Dir != "" {
		o.check("Dir", C.runner_set_workdir(o.runner, o.text("Dir", c.Dir)))
	}
}

func (o *options) stdio(c *Cmd, io *stdio) {
	o.check("AllowDirectoryFiles", C.runner_set_allow_directory_files(o.runner, C.bool(c.AllowDirectoryFiles)))
	if io.table != nil {
		fds := make([]C.int, len(io.table)+1)
		for i, fd := range io.table {
			fds[i] = C.int(fd)
		}
		o.check("Files", C.runner_set_files(o.runner, &fds[0], C.size_t(len(io.table))))
	}
	if io.input != nil {
		o.check("Stdin", C.runner_set_stdin_bytes(o.runner, pointer(io.input), C.size_t(len(io.input))))
	}
	for _, kept := range io.captures {
		option := fmt.Sprintf("Capture[%d]", kept.fd)
		fd, most := o.number(option, kept.fd), o.size(option, kept.most)
		if kept.head {
			o.check(option, C.runner_capture_head(o.runner, fd, most))
		} else {
			o.check(option, C.runner_capture(o.runner, fd, most))
		}
	}
	o.check("ExecFile", C.runner_set_exec_fd(o.runner, C.int(io.exec)))
	o.check("CgroupDir", C.runner_set_cgroup_fd(o.runner, C.int(io.cgroup)))
}

func (o *options) namespaces(c *Cmd) {
	o.check("Unshare", C.runner_set_unshare_flags(o.runner, C.uint64_t(c.Unshare)))
	for i, m := range c.UIDMappings {
		o.check(element("UIDMappings", i), C.runner_add_uid_mapping(o.runner, m.inside(), m.outside(), m.count()))
	}
	for i, m := range c.GIDMappings {
		o.check(element("GIDMappings", i), C.runner_add_gid_mapping(o.runner, m.inside(), m.outside(), m.count()))
	}
	if c.AllowSetgroups != nil {
		o.check("AllowSetgroups", C.runner_set_allow_setgroups(o.runner, C.bool(*c.AllowSetgroups)))
	}
	if c.Hostname != "" {
		o.check("Hostname", C.runner_set_hostname(o.runner, o.text("Hostname", c.Hostname)))
	}
	if c.Domainname != "" {
		o.check("Domainname", C.runner_set_domainname(o.runner, o.text("Domainname", c.Domainname)))
	}
	o.check("LoopbackUp", C.runner_set_loopback_up(o.runner, C.bool(c.LoopbackUp)))
	o.check("NewSessionKeyring", C.runner_set_new_session_keyring(o.runner, C.bool(c.NewSessionKeyring)))
	late := C.bool(c.UnshareCgroupAfterHold)
	o.check("UnshareCgroupAfterHold", C.runner_set_unshare_cgroup_after_sync(o.runner, late))
	for i, path := range c.CgroupPaths {
		option := element("CgroupPaths", i)
		o.check(option, C.runner_set_cgroup_path(o.runner, o.text(option, path)))
	}
}

func (m IDMapping) inside() C.uint32_t  { return C.uint32_t(m.Inside) }
func (m IDMapping) outside() C.uint32_t { return C.uint32_t(m.Outside) }
func (m IDMapping) count() C.uint32_t   { return C.uint32_t(m.Count) }

func (o *options) identity(c *Cmd) {
	id := c.Credential
	if id == nil {
		return
	}
	groups := make([]C.uint32_t, len(id.Groups)+1)
	for i, group := range id.Groups {
		groups[i] = C.uint32_t(group)
	}
	n := C.size_t(len(id.Groups))
	o.check("Credential", C.runner_set_credential(o.runner, C.uint32_t(id.UID), C.uint32_t(id.GID), &groups[0], n))
}

func (o *options) privileges(c *Cmd) {
	o.check("NoNewPrivs", C.runner_set_no_new_privs(o.runner, C.bool(c.NoNewPrivs)))
	o.check("DropCaps", C.runner_set_drop_caps(o.runner, C.bool(c.DropCaps)))
	if c.KeepCaps != 0 {
		o.check("KeepCaps", C.runner_keep_caps(o.runner, C.uint64_t(c.KeepCaps)))
	}
	if c.Seccomp != nil {
		o.seccomp(c.Seccomp)
	}
	o.check("Ptrace", C.runner_set_ptrace(o.runner, C.bool(c.Ptrace)))
	o.check("StopBeforeSeccomp", C.runner_set_stop_before_seccomp(o.runner, C.bool(c.StopBeforeSeccomp)))
}

func (o *options) seccomp(filter []syscall.SockFilter) {
	if len(filter) == 0 || len(filter) > math.MaxUint16 {
		o.fail("Seccomp", syscall.EINVAL)
		return
	}
	first := (*C.struct_sock_filter)(unsafe.Pointer(&filter[0]))
	o.check("Seccomp", C.runner_set_seccomp(o.runner, first, C.uint16_t(len(filter))))
}

// Both are the kernel's struct: this does not compile where their sizes differ.
var _ [C.sizeof_struct_sock_filter]byte = [unsafe.Sizeof(syscall.SockFilter{})]byte{}

func (o *options) attributes(c *Cmd) {
	for i, limit := range c.Rlimits {
		option := element("Rlimits", i)
		resource := o.number(option, int(limit.Resource))
		o.check(option, C.runner_add_rlimit(o.runner, resource, C.uint64_t(limit.Soft), C.uint64_t(limit.Hard)))
	}
	o.check("CTTY", C.runner_set_ctty(o.runner, C.bool(c.CTTY)))
	o.check("Session", C.runner_set_session(o.runner, C.uint32_t(c.Session)))
	signal := o.number("DeathSignal", int(c.DeathSignal))
	o.check("DeathSignal", C.runner_set_death_signal(o.runner, signal))
	if c.Umask != nil {
		o.check("Umask", C.runner_set_umask(o.runner, o.unsigned("Umask", *c.Umask)))
	}
	if c.Nice != nil {
		o.check("Nice", C.runner_set_nice(o.runner, o.number("Nice", *c.Nice)))
	}
	if c.OOMScoreAdj != nil {
		o.check("OOMScoreAdj", C.runner_set_oom_score_adj(o.runner, o.number("OOMScoreAdj", *c.OOMScoreAdj)))
	}
	if c.Personality != nil {
		o.check("Personality", C.runner_set_personality(o.runner, C.uint64_t(*c.Personality)))
	}
	if s := c.Scheduler; s != nil {
		policy, priority := o.number("Scheduler", s.Policy), o.number("Scheduler", s.Priority)
		o.check("Scheduler", C.runner_set_scheduler(o.runner, policy, priority))
	}
	if c.CPUAffinity != nil {
		o.affinity(c.CPUAffinity)
	}
}

func (o *options) affinity(list []int) {
	cpus := make([]C.uint32_t, len(list)+1)
	for i, cpu := range list {
		cpus[i] = o.unsigned(element("CPUAffinity", i), cpu)
	}
	o.check("CPUAffinity", C.runner_set_cpu_affinity(o.runner, &cpus[0], C.size_t(len(list))))
}

func (o *options) limits(c *Cmd) {
	type runner = *C.runner_t
	type number = C.uint64_t
	for _, limit := range []struct {
		option string
		n      int64
		set    func(runner, number) C.int
	}{
		{"WallLimit", int64(c.WallLimit), func(r runner, n number) C.int { return C.runner_set_wall_limit(r, n) }},
		{"CPULimit", int64(c.CPULimit), func(r runner, n number) C.int { return C.runner_set_cpu_limit(r, n) }},
		{"MemoryLimit", c.MemoryLimit, func(r runner, n number) C.int { return C.runner_set_memory_limit(r, n) }},
		{"ProcessLimit", c.ProcessLimit, func(r runner, n number) C.int { return C.runner_set_process_limit(r, n) }},
		{"OutputLimit", c.OutputLimit, func(r runner, n number) C.int { return C.runner_set_output_limit(r, n) }},
	} {
		if limit.n != 0 {
			o.check(limit.option, limit.set(o.runner, o.size(limit.option, limit.n)))
		}
	}
	if c.CPUQuota != 0 {
		o.check("CPUQuota", C.runner_set_cpu_quota(o.runner, o.unsigned("CPUQuota", c.CPUQuota)))
	}
	for i, path := range c.CgroupRoots {
		option := element("CgroupRoots", i)
		o.check(option, C.runner_set_cgroup_root(o.runner, o.text(option, path)))
	}
}
