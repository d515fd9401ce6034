/* What a root is furnished with: tmpfs, proc with its flags, a minimal /dev, and mounts as mount(2) takes them. */

#define _GNU_SOURCE
#include "tap.h"

#include "poke.h"
#include "root.h"

/* ------------------------------------------------------------------ tmpfs */

static void tmpfs_size(void) {
    runner_t *runner = rooted(0);
    runner_add_tmpfs(runner, "/small", 1 << 20, 0755);
    runner_add_tmpfs(runner, "/large", 3 << 20, 0755);
    runner_add_tmpfs(runner, "/any", 0, 0755);
    inside(runner, {"fill /small/x 8388608", "1048576 ENOSPC"}, {"fill /large/x 8388608", "3145728 ENOSPC"},
           {"fill /any/x 8388608", "8388608 ok"});
    runner_free(runner);
}

static void tmpfs_mode(void) {
    runner_t *runner = rooted(0);
    runner_set_umask(runner, 0);
    runner_add_tmpfs(runner, "/sticky", 0, 01777);
    runner_add_tmpfs(runner, "/own", 0, 0700);
    runner_add_tmpfs(runner, "/all", 0, 07777);
    runner_add_tmpfs(runner, "/none", 0, 0);
    inside(runner, {"stat /sticky", "dir 1777 0:0"}, {"stat /own", "dir 0700 0:0"}, {"stat /all", "dir 7777 0:0"},
           {"stat /none", "dir 0000 0:0"}, {"create /own/x", "ok"}, {"flags /own", "rw,nosuid,nodev"},
           {"exec /poke exit 4", "exit 4"});
    runner_free(runner);
}

static void tmpfs_no_devices(void) {
    if (!is_root())
        SKIP("mknod(2) needs root");
    runner_t *runner = rooted(0);
    runner_add_tmpfs(runner, "/t", 0, 0755);
    runner_add_mount(runner, "tmpfs", "/raw", "tmpfs", 0, NULL);
    inside(runner, {"mknod /t/null 1 3", "ok"}, {"open /t/null rw", "EACCES"}, {"mknod /raw/null 1 3", "ok"},
           {"open /raw/null rw", "ok"});
    runner_free(runner);
}

/* It is a new one each time. */
static void tmpfs_fresh(void) {
    runner_t *runner = rooted(0);
    runner_add_tmpfs(runner, "/t", 0, 0755);
    for (int i = 0; i < 2; i++)
        inside(runner, {"ls /t", ""}, {"create /t/x", "ok"}, {"ls /t", "x"});
    runner_free(runner);
}

/* ------------------------------------------------------------------ raw mounts */

static void raw_mount(void) {
    runner_t *runner = rooted(0);
    runner_add_mount(runner, "tmpfs", "/t", "tmpfs", MS_NOSUID | MS_NOEXEC, "size=64k,mode=0711");
    runner_add_mount(runner, NULL, "/deep/er/r", "tmpfs", MS_RDONLY, NULL);
    runner_add_mount(runner, "none", "/n", "tmpfs", MS_NODEV | MS_NOATIME, "");
    inside(runner, {"stat /t", "dir 0711 0:0"}, {"fill /t/x 1000000", "65536 ENOSPC"},
           {"create /deep/er/r/x", "EROFS"});
    const char *flags = answer_inside(runner, "flags /t");
    ok(strstr(flags, "rw,nosuid") == flags && strstr(flags, "noexec") != NULL, "flags arrive: %s", flags);
    flags = answer_inside(runner, "flags /n");
    ok(strstr(flags, "nodev") != NULL && strstr(flags, "noatime") != NULL, "flags arrive: %s", flags);
    runner_free(runner);
}

static void raw_proc(void) {
    runner_t *runner = rooted(CLONE_NEWPID);
    runner_add_mount(runner, "proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    inside(runner, {"readlink /proc/self", "1"}, {"flags /proc", "rw,nosuid,nodev,noexec"});
    runner_free(runner);
}

/* ------------------------------------------------------------------ proc */

static runner_t *with_proc(uint32_t flags) {
    runner_t *runner = rooted(CLONE_NEWPID | CLONE_NEWUTS);
    ok_int(runner_add_proc(runner, "/proc", flags), 0, "proc flags %#x", flags);
    return runner;
}

static void proc_own_processes(void) {
    char host[64];
    snprintf(host, sizeof host, "stat /proc/%d", (int)getpid());
    runner_t *runner = with_proc(0);
    inside(runner, {"readlink /proc/self", "1"}, {"stat /proc/2", "ENOENT"}, {host, "ENOENT"},
           {"flags /proc", "rw,nosuid,nodev,noexec"}, {"open /proc/meminfo r", "ok"},
           {"open /proc/sys/kernel r", "ok"});
    runner_free(runner);
}

static void proc_subset(void) {
    runner_t *runner = with_proc(RUNNER_PROC_SUBSET);
    inside(runner, {"readlink /proc/self", "1"}, {"open /proc/meminfo r", "ENOENT"}, {"open /proc/sys r", "ENOENT"},
           {"open /proc/1/status r", "ok"});
    runner_free(runner);
}

/* Another user's process is the program itself, seen by a child of it that has become user 1000. */
static void proc_hidepid(void) {
    runner_t *runner = with_proc(RUNNER_PROC_HIDEPID);
    set_pokes(runner, "/poke", &(struct poke){"pause", NULL}, 1);
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    ok(strstr(proc_text(pid, "mountinfo"), "hidepid=") != NULL, "the mount has the option");
    end_of(pid);
    if (is_root())
        inside(runner, {"as 1000 stat /proc/1", "ENOENT"}, {"as 1000 readlink /proc/self", "3"});
    runner_free(runner);
    runner = with_proc(0);
    if (is_root())
        inside(runner, {"as 1000 stat /proc/1", "dir 0555 0:0"});
    runner_free(runner);
}

/* "covered" is: not there, refused, or empty. A control says whether this kernel has it, and lets it be read. */
static const char *const masked_files[] = {"/proc/keys", "/proc/timer_list", "/proc/kcore", "/proc/sched_debug"};
static const char *const masked_dirs[] = {"/proc/acpi", "/proc/scsi"};
static const char *const read_only_dirs[] = {"/proc/sys", "/proc/bus", "/proc/fs", "/proc/irq"};

static bool gives_bytes(runner_t *runner, const char *path) {
    char op[64];
    snprintf(op, sizeof op, "readn %s 16", path);
    return atoi(answer_inside(runner, op)) > 0;
}

static void masked_files_checks(runner_t *bare, runner_t *masked) {
    int seen = 0;
    for (size_t i = 0; i < COUNT(masked_files); i++) {
        seen += gives_bytes(bare, masked_files[i]);
        ok(!gives_bytes(masked, masked_files[i]), "%s is covered", masked_files[i]);
    }
    if (is_root()) /* an ordinary user's list of keys may be empty, and the rest is root's */
        ok(seen > 0, "control: without the flag some of them can be read");
}

static bool lists_names(runner_t *runner, const char *path) {
    char op[64];
    snprintf(op, sizeof op, "ls %s", path);
    const char *names = answer_inside(runner, op);
    return names[0] != '\0' && names[0] != 'E';
}

static bool mounted_read_only(runner_t *runner, const char *path) {
    char op[64];
    snprintf(op, sizeof op, "flags %s", path);
    return strncmp(answer_inside(runner, op), "ro", 2) == 0;
}

static bool there(runner_t *runner, const char *path) {
    char op[64];
    snprintf(op, sizeof op, "open %s dir", path);
    return strcmp(answer_inside(runner, op), "ok") == 0;
}

static void proc_mask(void) {
    runner_t *bare = with_proc(0), *masked = with_proc(RUNNER_PROC_MASK);
    masked_files_checks(bare, masked);
    for (size_t i = 0; i < COUNT(masked_dirs); i++)
        ok(!lists_names(masked, masked_dirs[i]), "%s is covered", masked_dirs[i]);
    int dirs = 0;
    for (size_t i = 0; i < COUNT(read_only_dirs); i++) {
        if (!there(bare, read_only_dirs[i]))
            continue;
        dirs++;
        ok(mounted_read_only(masked, read_only_dirs[i]), "%s is read-only", read_only_dirs[i]);
        ok(!mounted_read_only(bare, read_only_dirs[i]), "control: without the flag %s is not", read_only_dirs[i]);
    }
    ok(dirs > 0, "there are directories to protect");
    inside(masked, {"write /proc/sys/kernel/hostname mine", is_root() ? "EROFS" : "EACCES"},
           {"open /proc/meminfo r", "ok"},
           {"readlink /proc/self", "1"}, {"write /proc/self/oom_score_adj 1000", "ok"});
    /* As root of a mere user namespace it is the file's owner, root of the host, that is in the way. */
    inside(bare, {"write /proc/sys/kernel/hostname mine", is_root() ? "ok" : "EACCES"});
    runner_free(bare);
    runner_free(masked);
}

static void proc_mask_sysrq(void) {
    runner_t *runner = with_proc(RUNNER_PROC_MASK);
    struct stat st;
    if (stat("/proc/sysrq-trigger", &st) != 0)
        inside(runner, {"write /proc/sysrq-trigger h", "ENOENT"});
    else /* covered by /dev/null, into which anything can be written */
        inside(runner, {"device /proc/sysrq-trigger", "1:3"});
    runner_free(runner);
}

static void proc_read_only(void) {
    runner_t *runner = with_proc(RUNNER_PROC_RO);
    inside(runner, {"flags /proc", "ro,nosuid,nodev,noexec"}, {"write /proc/self/oom_score_adj 1000", "EROFS"},
           {"readlink /proc/self", "1"});
    runner_free(runner);
    runner = with_proc(0);
    inside(runner, {"write /proc/self/oom_score_adj 1000", "ok"});
    runner_free(runner);
}

/* All sixteen together: what one flag hides, another need not find. */
static void proc_all_flags(void) {
    for (uint32_t flags = 0; flags < 16; flags++) {
        runner_t *runner = with_proc(flags);
        bool subset = flags & RUNNER_PROC_SUBSET;
        if (!inside(runner, {"readlink /proc/self", "1"}, {"open /proc/meminfo r", subset ? "ENOENT" : "ok"},
                    {"write /proc/self/oom_score_adj 1000", flags & RUNNER_PROC_RO ? "EROFS" : "ok"}))
            diag("  that was flags %#x", flags);
        runner_free(runner);
    }
}

/* As in a container: part of the host's proc is covered, so the kernel gives no whole one to a user namespace. */
static void proc_too_revealing_checks(void) {
    if (!become_mounter() || !ok(mount("tmpfs", "/proc/sys", "tmpfs", 0, NULL) == 0, "a host whose /proc is masked"))
        return;
    runner_t *runner = with_proc(0);
    runner_set_unshare_flags(runner, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID);
    ok_refused(runner, RUNNER_STAGE_MOUNT, 1, EPERM);
    ok(strlen(last_error.message) > 60 && strstr(last_error.message, "proc") != NULL, "the message says what to do: %s",
       last_error.message);
    runner_free(runner);
}

static void proc_too_revealing(void) {
    if (!have_userns())
        SKIP("no user namespaces");
    in_child(proc_too_revealing_checks);
}

/* ------------------------------------------------------------------ /dev */

static runner_t *with_dev(void) {
    runner_t *runner = rooted(CLONE_NEWPID);
    ok_int(runner_add_dev(runner, "/dev"), 0, "dev");
    ok_int(runner_add_proc(runner, "/proc", 0), 0, "proc, into which its links lead");
    return runner;
}

static void dev_nodes(void) {
    runner_t *runner = with_dev();
    inside(runner, {"ls /dev", "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero"},
           {"device /dev/null", "1:3"}, {"device /dev/zero", "1:5"}, {"device /dev/full", "1:7"},
           {"device /dev/random", "1:8"}, {"device /dev/urandom", "1:9"}, {"device /dev/tty", "5:0"},
           {"write /dev/null x", "ok"}, {"readn /dev/null 8", "0 bytes, 0 zero"},
           {"readn /dev/zero 8", "8 bytes, 8 zero"}, {"write /dev/zero x", "ok"}, {"write /dev/full x", "ENOSPC"},
           {"readn /dev/full 8", "8 bytes, 8 zero"}, {"open /dev/tty rw", "ENXIO"});
    ok(strncmp(answer_inside(runner, "readn /dev/random 64"), "64 bytes", 8) == 0, "random gives bytes");
    ok(strncmp(answer_inside(runner, "readn /dev/urandom 64"), "64 bytes", 8) == 0, "urandom gives bytes");
    runner_free(runner);
}

static void dev_links(void) {
    runner_t *runner = with_dev();
    inside(runner, {"readlink /dev/fd", "/proc/self/fd"}, {"readlink /dev/stdin", "/proc/self/fd/0"},
           {"readlink /dev/stdout", "/proc/self/fd/1"}, {"readlink /dev/stderr", "/proc/self/fd/2"},
           {"readn /dev/stdin 4", "0 bytes, 0 zero"}, {"ls /dev/fd/", "0 1 2 3"},
           {"write /dev/stdout hello\n", "hello\nok"});
    runner_free(runner);
}

static void dev_read_only(void) {
    runner_t *runner = with_dev();
    inside(runner, {"create /dev/x", "EROFS"}, {"mkdir /dev/d", "EROFS"}, {"unlink /dev/null", "EROFS"},
           {"unlink /dev/fd", "EROFS"}, {"rmdir /dev/pts", "EROFS"});
    const char *flags = answer_inside(runner, "flags /dev");
    ok(strncmp(flags, "ro,nosuid", 9) == 0, "its flags: %s", flags);
    runner_free(runner);
}

static void dev_shm(void) {
    runner_t *runner = with_dev();
    inside(runner, {"stat /dev/shm", "dir 1777 0:0"}, {"ls /dev/shm", ""}, {"create /dev/shm/x", "ok"},
           {"fill /dev/shm/y 134217728", "67104768 ENOSPC"});
    const char *flags = answer_inside(runner, "flags /dev/shm");
    ok(strncmp(flags, "rw,nosuid,nodev", 15) == 0, "its flags: %s", flags);
    runner_free(runner);
}

static void dev_terminals(void) {
    runner_t *runner = with_dev();
    inside(runner, {"ls /dev/pts", "ptmx"}, {"pty /dev/ptmx", "pts 0"}, {"pty /dev/ptmx", "pts 1"});
    inside(runner, {"pty /dev/ptmx", "pts 0"}); /* each run's own */
    runner_free(runner);
}

/* The program that is not root can use all of it. */
static void dev_for_credential(void) {
    if (!is_root())
        SKIP("needs root");
    runner_t *runner = with_dev();
    runner_set_credential(runner, 1000, 1000, NULL, 0);
    inside(runner, {"write /dev/null x", "ok"}, {"readn /dev/zero 8", "8 bytes, 8 zero"}, {"create /dev/shm/x", "ok"},
           {"pty /dev/ptmx", "pts 0"}, {"open /dev/tty rw", "ENXIO"}, {"create /dev/x", "EROFS"});
    runner_set_unshare_flags(runner, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUSER);
    runner_add_uid_mapping(runner, 0, 100000, 2000);
    runner_add_gid_mapping(runner, 0, 100000, 2000);
    inside(runner, {"write /dev/null x", "ok"}, {"readn /dev/zero 8", "8 bytes, 8 zero"}, {"create /dev/shm/x", "ok"},
           {"pty /dev/ptmx", "pts 0"}, {"create /dev/x", "EROFS"});
    runner_free(runner);
}

/* Somewhere else, and without a proc in the root: the links dangle, the rest works. */
static void dev_elsewhere(void) {
    runner_t *runner = rooted(0);
    runner_add_dev(runner, "a/b/devices");
    inside(runner, {"write /a/b/devices/null x", "ok"}, {"pty /a/b/devices/ptmx", "pts 0"},
           {"readn /a/b/devices/stdin 1", "ENOENT"}, {"create /a/b/devices/shm/x", "ok"},
           {"stat /a/b", "dir 0755 0:0"});
    runner_free(runner);
}

static const struct test tests[] = {
    {"tmpfs holds as much as its size, and no more", tmpfs_size},
    {"tmpfs has its mode and belongs to the program, nosuid, nodev", tmpfs_mode},
    {"tmpfs: devices made in it cannot be opened", tmpfs_no_devices},
    {"tmpfs is empty at every start", tmpfs_fresh},
    {"a raw mount gets its flags and data", raw_mount},
    {"a raw mount of proc", raw_proc},
    {"proc shows the new pid namespace, not the host's", proc_own_processes},
    {"proc, subset: processes only", proc_subset},
    {"proc, hidepid: processes of others are invisible", proc_hidepid},
    {"proc, mask: what tells about the machine is covered, what changes it read-only", proc_mask},
    {"proc, mask: sysrq-trigger is out of reach", proc_mask_sysrq},
    {"proc, read-only", proc_read_only},
    {"proc: every combination of flags", proc_all_flags},
    {"proc that the kernel refuses in a container: the message says what to do", proc_too_revealing},
    {"dev: exactly these nodes, and each works", dev_nodes},
    {"dev: the links lead to the program's own fds", dev_links},
    {"dev: nothing can be made or removed in it", dev_read_only},
    {"dev: shm is writable, of 64 MiB", dev_shm},
    {"dev: terminals of its own", dev_terminals},
    {"dev: works for a credential, in a user namespace too", dev_for_credential},
    {"dev: at another place and without proc", dev_elsewhere},
};

int main(int argc, char **argv) {
    return root_main(argc, argv, tests, COUNT(tests));
}
