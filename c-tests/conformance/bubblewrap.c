/* The cases of bubblewrap's tests that no other file has: docs/conformance.md lists all of them. */

#define _GNU_SOURCE
#include "tap.h"

#include "poke.h"
#include "root.h"
#include "filters.h"
#include "host_tree.h"
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ------------------------------------------------------------------ namespaces */

/* proc is there with a pid namespace only: without one it would show the host's processes, and is refused. */
static void proc_and_dev(void) {
    static const uint64_t users[] = {0, CLONE_NEWUSER};
    for (size_t i = 0; i < COUNT(users); i++) {
        runner_t *runner = rooted(users[i] | CLONE_NEWPID | CLONE_NEWNET);
        runner_add_proc(runner, "/proc", 0);
        runner_add_dev(runner, "/dev");
        inside(runner, {"readlink /proc/self", "1"}, {"write /dev/null x", "ok"}, {"pty /dev/ptmx", "pts 0"},
               {"ls /proc/sys/net/ipv4/conf", "all default lo"});
        runner_set_unshare_flags(runner, CLONE_NEWNS | CLONE_NEWNET | userns_if_needed() | users[i]);
        ok_int(run(runner), -EINVAL, "proc without a pid namespace is refused");
        ok_int(last_error.stage, RUNNER_STAGE_OPTIONS, "by its options");
        runner_free(runner);
    }
}

/* For a child that is an ordinary user: the capabilities of a new user namespace open no file of root's. */
static void unreadable_checks(void) {
    if (!become_ordinary(65534))
        return;
    runner_t *runner = rooted(CLONE_NEWPID | CLONE_NEWNET);
    runner_add_bind(runner, "/etc/shadow", "/shadow", 0);
    runner_add_bind(runner, "/etc/passwd", "/passwd", 0);
    runner_add_bind(runner, "/root", "/private", RUNNER_BIND_REC);
    inside(runner, {"open /shadow r", "EACCES"}, {"ls /private", "EACCES"}, {"open /passwd r", "ok"});
    runner_free(runner);
}

static void unreadable(void) {
    struct stat shadow, private;
    if (stat("/etc/shadow", &shadow) != 0 || (shadow.st_mode & 07) != 0 || stat("/root", &private) != 0 ||
        (private.st_mode & 07) != 0 || !have_userns())
        SKIP("needs an unreadable /etc/shadow, an unreadable /root and user namespaces");
    in_child(unreadable_checks);
}

/* What the links of a held process say before its program runs is what the program sees. */
static void namespaces_told(void) {
    static const char *const names[] = {"ipc", "mnt", "net", "pid", "uts"};
    char said[8192], op[64], ours[PATH_MAX], file[64];
    for (size_t i = 0; i < COUNT(names); i++) {
        int ends[2] = {-1, -1};
        snprintf(op, sizeof op, "readlink /proc/self/ns/%s", names[i]);
        snprintf(file, sizeof file, "ns/%s", names[i]);
        runner_t *runner = rooted(CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWUTS);
        runner_add_proc(runner, "/proc", 0);
        set_pokes(runner, "/poke", &(struct poke){op, NULL}, 1);
        ok_int(pipe2(ends, O_CLOEXEC), 0, "a pipe");
        runner_set_files(runner, (int[]){-1, ends[1]}, 2);
        runner_held_t *held = NULL;
        if (ok_int(runner_start_held(runner, &held, &last_error), 0, "it is held")) {
            snprintf(ours, sizeof ours, "%s\n", proc_link(runner_held_pid(held), file));
            pid_t pid = runner_held_resume(held, &last_error);
            close(ends[1]);
            read_all(ends[0], said, sizeof said);
            ok_str(said, ours, "%s", names[i]);
            ok(exited(child_status(pid), 0), "it ends");
        }
        close(ends[0]);
        runner_free(runner);
    }
}

/* A guest: this library in a sandbox that this library made. Its exit code is 0 where all is as it should be. */
static int nested(int argc, char **argv) {
    char output[256];
    snprintf(pivot_dir, sizeof pivot_dir, "%s", argc > 1 ? argv[1] : "/tmp");
    runner_t *runner = rooted(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET);
    runner_add_proc(runner, "/proc", 0);
    set_pokes(runner, "/poke", (struct poke[]){{"readlink /proc/self", NULL}, {"ls /", NULL}}, 2);
    int status = run_output(runner, output, sizeof output);
    if (status < 0) /* the host's case reads it */
        printf("%s\n", last_error.message);
    runner_free(runner);
    printf("%s", output);
    return exited(status, 0) ? 0 : 1;
}

static void recursive(void) {
    char output[4096];
    if (!have_userns())
        SKIP("no user namespaces for this user");
    runner_t *runner = in_host_tree(CLONE_NEWUSER, RUNNER_BIND_DEV);
    runner_set_exec_fd(runner, -1);
    runner_set_args(runner, (const char *const[]){self_path(), "guest", "nested", pivot_dir, NULL});
    ok(exited(run_output(runner, output, sizeof output), 0), "a sandbox in a sandbox: %s", output);
    ok_str(output, "1\npoke proc\n", "its processes and its root");
    runner_free(runner);
}

/* ------------------------------------------------------------------ the host's tree */

static void root_on_root(void) {
    for (uint32_t flags = 0; flags <= (RUNNER_BIND_RO | RUNNER_BIND_REC); flags++) {
        runner_t *runner = rooted(0);
        runner_add_bind(runner, "/", "/", flags);
        ok_refused(runner, RUNNER_STAGE_MOUNT, 1, EINVAL);
        runner_free(runner);
    }
}

/* A file in a scratch directory of /tmp, and its contents. */
struct note {
    char dir[64], file[96], text[32];
};

static struct note new_note(void) {
    struct note note;
    snprintf(note.dir, sizeof note.dir, "%s", scratch_dir());
    snprintf(note.file, sizeof note.file, "%s/note", note.dir);
    snprintf(note.text, sizeof note.text, "note of %d", (int)getpid());
    ok(put_file(note.file, note.text, 0644), "a file in /tmp");
    return note;
}

static void host_tree_and_tmp(void) {
    struct note note = new_note();
    char cat[128], elsewhere[160];
    snprintf(cat, sizeof cat, "cat %s", note.file);
    snprintf(elsewhere, sizeof elsewhere, "cat /elsewhere/%s", note.file + strlen("/tmp/"));
    runner_t *runner = in_host_tree(0, 0);
    expect(runner, {cat, note.text});
    runner_add_bind(runner, "/tmp", "/tmp", RUNNER_BIND_REC);
    runner_add_bind(runner, "/tmp", "/elsewhere", RUNNER_BIND_REC);
    expect(runner, {cat, note.text}, {elsewhere, note.text});
    runner_free(runner);
    remove_dir(note.dir);
}

/* Nothing of how the root was made is left in what the program finds at /tmp. */
static void over_and_in_tmp(void) {
    struct note note = new_note();
    runner_t *runner = in_host_tree(0, 0);
    runner_add_bind(runner, note.dir, "/tmp", 0);
    expect(runner, {"ls /tmp", "note"}, {"cat /tmp/note", note.text});
    runner_free(runner);
    runner = in_host_tree(0, 0);
    runner_add_tmpfs(runner, "/tmp", 0, 01777);
    runner_add_bind(runner, note.dir, "/tmp/here", 0);
    expect(runner, {"ls /tmp", "here"}, {"cat /tmp/here/note", note.text});
    runner_free(runner);
    remove_dir(note.dir);
}

/* ------------------------------------------------------------------ pieces */

static void over_a_link(void) {
    struct note note = new_note();
    runner_t *runner = rooted(0);
    runner_add_dir(runner, "/dir", 0755);
    runner_add_symlink(runner, "dir", "/link");
    runner_add_bind(runner, note.dir, "/link", 0);
    inside(runner, {"readlink /link", "dir"}, {"ls /dir", "note"}, {"cat /link/note", note.text});
    runner_free(runner);
    remove_dir(note.dir);
}

/* In a writable bind the link outlives the run that made it. It is not made twice, to wherever it leads. */
static void links_kept(void) {
    struct note note = new_note();
    static const char *const targets[] = {"/dev/null", "/dev/null", "/dev/full"};
    char target[64] = "";
    for (size_t i = 0; i < COUNT(targets); i++) {
        runner_t *runner = rooted(0);
        runner_add_bind(runner, note.dir, "/host", 0);
        runner_add_symlink(runner, targets[i], "/host/link");
        if (i == 0)
            inside(runner, {"readlink /host/link", targets[0]});
        else
            ok_refused(runner, RUNNER_STAGE_SYMLINK, 2, EEXIST);
        runner_free(runner);
        ok(readlink(join(note.dir, "link"), target, sizeof target - 1) > 0, "the host has the link");
        ok_str(target, targets[0], "where it leads");
    }
    remove_dir(note.dir);
}

static mode_t mode_of(const char *dir, const char *name) {
    struct stat st;
    return lstat(join(dir, name), &st) == 0 ? st.st_mode & 07777 : 0;
}

static void modes_in_the_host(void) {
    struct note note = new_note();
    ok_int(mkdir(join(note.dir, "there"), 0700) | chmod(join(note.dir, "there"), 0710), 0, "a directory");
    mode_t mask = umask(077);
    runner_t *runner = rooted(0);
    runner_add_bind(runner, note.dir, "/host", 0);
    runner_add_dir(runner, "/host/there", 0741);
    runner_add_dir(runner, "/host/made", 01741);
    runner_add_dir(runner, "/host/parent/made", 0);
    runner_add_bind(runner, join(note.dir, "there"), "/host/dir-point", 0);
    runner_add_bind(runner, note.file, "/host/file-point", 0);
    inside(runner, {"ls /host", "dir-point file-point made note parent there"});
    runner_free(runner);
    umask(mask);
    ok_int(mode_of(note.dir, "there"), 0710, "a directory that was there is left as it was");
    ok_int(mode_of(note.dir, "made"), 01741, "one that was made has its mode");
    ok_int(mode_of(note.dir, "parent"), 0755, "its parents have 0755");
    ok_int(mode_of(note.dir, "dir-point"), 0755, "a directory to mount on");
    ok_int(mode_of(note.dir, "file-point"), 0644, "a file to mount on");
    ok_int(chmod(join(note.dir, "parent/made"), 0700), 0, "to be removed");
    remove_dir(note.dir);
}

static void socket_on_socket(void) {
    struct note note = new_note();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/log", note.dir);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ok_int(bind(fd, (struct sockaddr *)&address, sizeof address), 0, "a socket");
    runner_t *runner = rooted(0);
    runner_add_bind(runner, note.dir, "/host", 0);
    runner_add_bind(runner, address.sun_path, "/host/log", RUNNER_BIND_NOEXEC);
    runner_add_bind(runner, address.sun_path, "/log", 0);
    inside(runner, {"flags /host/log", "rw,nosuid,nodev,noexec"}, {"open /host/log r", "ENXIO"},
           {"open /log r", "ENXIO"});
    runner_free(runner);
    close(fd);
    remove_dir(note.dir);
}

/* By their paths only: when the pieces are made, the host's fds are closed, and the program's lead into mounts of the
 * host's mount namespace, which cannot be bound in another. */
static void bind_of_an_fd(void) {
    enum { PROGRAMS = 40, HOSTS = 41 };
    static const struct {
        const char *source;
        int err;
    } rows[] = {{"/proc/self/fd/40", EINVAL}, {"/proc/self/fd/41", ENOENT}};
    int files[PROGRAMS + 1], dir = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
    memset(files, -1, sizeof files);
    files[PROGRAMS] = dir;
    ok_int(dup3(dir, HOSTS, O_CLOEXEC), HOSTS, "an fd of the host's");
    for (size_t i = 0; i < COUNT(rows); i++) {
        runner_t *runner = rooted(CLONE_NEWPID);
        runner_set_files(runner, files, COUNT(files));
        runner_add_bind(runner, rows[i].source, "/here", RUNNER_BIND_REC);
        ok_refused(runner, RUNNER_STAGE_MOUNT, 1, rows[i].err);
        runner_free(runner);
    }
    close(HOSTS);
    close(dir);
}

/* 0 is the kernel's default. Sizes that no memory holds are taken: the tmpfs is full when the memory is. */
static void tmpfs_sizes(void) {
    static const struct {
        uint64_t size;
        const char *filled;
    } rows[] = {{1, "4096 ENOSPC"},
                {8192, "8192 ENOSPC"},
                {0, "65536 ok"},
                {INT64_MAX, "65536 ok"},
                {UINT64_MAX, "65536 ok"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        runner_t *runner = rooted(0);
        runner_add_tmpfs(runner, "/tmp", rows[i].size, 0700);
        inside(runner, {"fill /tmp/x 65536", rows[i].filled}, {"stat /tmp", "dir 0700 0:0"});
        runner_free(runner);
    }
}

/* ------------------------------------------------------------------ the program */

static void names_like_options(void) {
    char output[256];
    struct note note = new_note();
    ok(copy_file(poke_path(), join(note.dir, "--program"), 0755), "a program");
    runner_t *runner = runner_for((const char *const[]){"--program", "echo hello", NULL});
    runner_set_workdir(runner, note.dir);
    ok(exited(run_output(runner, output, sizeof output), 0), "a name that begins with dashes");
    ok_str(output, "hello\n", "its output");
    runner_set_args(runner, (const char *const[]){"--dev-bind", "/dev", "/dev", "--program", NULL});
    ok_failed(run(runner), RUNNER_STAGE_EXEC, -1, ENOENT);
    runner_free(runner);
    remove_dir(note.dir);
}

static void another_name(void) {
    char output[256];
    int program = open(guest_path(), O_PATH | O_CLOEXEC);
    runner_t *runner = runner_for((const char *const[]){"right", "args", NULL});
    runner_set_exec_fd(runner, program);
    ok(exited(run_output(runner, output, sizeof output), 0), "it runs");
    ok_value(output, "arg.0", "right");
    runner_free(runner);
    close(program);
}

static void environment(void) {
    char output[256];
    setenv("FROM_THE_HOST", "1", 1);
    runner_t *runner = guest("env");
    ok(exited(run_output(runner, output, sizeof output), 0), "it runs");
    ok_value(output, "envs", "0");
    runner_set_env(runner, (const char *const[]){"FOO=bar", "EMPTY=", "FOO=twice", NULL});
    ok(exited(run_output(runner, output, sizeof output), 0), "it runs");
    ok_str(output, "env.0=FOO=bar\nenv.1=EMPTY=\nenv.2=FOO=twice\nenvs=3\n", "exactly what was set");
    runner_free(runner);
    unsetenv("FROM_THE_HOST");
}

/* ------------------------------------------------------------------ overlays */

/* Two lower directories, an upper and a work one, in a directory whose name may need escaping. */
struct layers {
    struct note note;
    char base[128];
};

static struct layers new_layers(const char *name) {
    static const char *const dirs[] = {"one", "two", "upper", "work"};
    struct layers layers = {.note = new_note()};
    snprintf(layers.base, sizeof layers.base, "%s/%s", layers.note.dir, name);
    ok_int(mkdir(layers.base, 0755), 0, "a directory");
    for (size_t i = 0; i < COUNT(dirs); i++)
        ok_int(mkdir(join(layers.base, dirs[i]), 0755), 0, "a layer");
    ok(put_file(join(layers.base, "one/a"), "1", 0644) && put_file(join(layers.base, "one/b"), "2", 0644) &&
           put_file(join(layers.base, "two/b"), "3", 0644) && put_file(join(layers.base, "upper/a"), "4", 0644),
       "files");
    return layers;
}

/* What the kernel is told: the lower directory "two" over "one" or one of them, with or without upper and work. */
static void overlay_data(char *data, size_t size, const char *base, const char *lower, bool writable) {
    char two[300] = "", upper[600] = "";
    if (strcmp(lower, "two:one") == 0)
        snprintf(two, sizeof two, "%s/two:", base);
    if (writable)
        snprintf(upper, sizeof upper, ",upperdir=%s/upper,workdir=%s/work", base, base);
    snprintf(data, size, "lowerdir=%s%s/one%s,userxattr", two, base, upper);
}

/* Whether the file system under /tmp takes part in overlays of this user. */
static bool can_overlay(void) {
    char data[1024];
    int status = -1;
    struct layers layers = new_layers("probe");
    overlay_data(data, sizeof data, layers.base, "one", true);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(become_mounter() && mount("overlay", layers.base, "overlay", 0, data) == 0 ? 0 : 1);
    waitpid(pid, &status, 0);
    remove_dir(layers.note.dir);
    return status == 0;
}

#define NEED_OVERLAY()                                           \
    do {                                                         \
        if (!can_overlay())                                      \
            SKIP("no overlays of what is in /tmp for this user"); \
    } while (0)

static runner_t *overlaid(const char *data) {
    runner_t *runner = rooted(0);
    runner_add_mount(runner, "overlay", "/x/y/z", "overlay", 0, data);
    return runner;
}

static void overlay(void) {
    char data[1024], text[16];
    NEED_OVERLAY();
    struct layers layers = new_layers("layers");
    overlay_data(data, sizeof data, layers.base, "one", true);
    runner_t *runner = overlaid(data);
    inside(runner, {"cat /x/y/z/a", "4"}, {"cat /x/y/z/b", "2"});
    runner_free(runner);
    overlay_data(data, sizeof data, layers.base, "two:one", true);
    runner = overlaid(data);
    inside(runner, {"cat /x/y/z/a", "4"}, {"cat /x/y/z/b", "3"}, {"write /x/y/z/b 5", "ok"}, {"cat /x/y/z/b", "5"});
    runner_free(runner);
    read_file(join(layers.base, "upper/b"), text, sizeof text);
    ok_str(text, "5", "the upper layer has what was written");
    read_file(join(layers.base, "two/b"), text, sizeof text);
    ok_str(text, "3", "the lower one has not");
    remove_dir(layers.note.dir);
}

static void overlay_escaped(void) {
    char data[1024], text[16];
    NEED_OVERLAY();
    struct layers layers = new_layers("a\":,\\");
    char escaped[160];
    snprintf(escaped, sizeof escaped, "%s/a\"\\:\\,\\\\", layers.note.dir);
    overlay_data(data, sizeof data, escaped, "one", true);
    runner_t *runner = overlaid(data);
    inside(runner, {"cat /x/y/z/b", "2"}, {"write /x/y/z/b 6", "ok"});
    runner_free(runner);
    read_file(join(layers.base, "upper/b"), text, sizeof text);
    ok_str(text, "6", "the upper layer has what was written");
    remove_dir(layers.note.dir);
}

static void overlay_of_lower_layers(void) {
    char data[1024];
    NEED_OVERLAY();
    struct layers layers = new_layers("layers");
    overlay_data(data, sizeof data, layers.base, "two:one", false);
    runner_t *runner = overlaid(data);
    inside(runner, {"cat /x/y/z/a", "1"}, {"cat /x/y/z/b", "3"}, {"write /x/y/z/b 4", "EROFS"},
           {"cat /x/y/z/b", "3"});
    runner_free(runner);
    overlay_data(data, sizeof data, layers.base, "one", false);
    runner = overlaid(data);
    ok_refused(runner, RUNNER_STAGE_MOUNT, 1, EINVAL);
    runner_free(runner);
    remove_dir(layers.note.dir);
}

/* ------------------------------------------------------------------ filters */

/* Calls with a bad pointer or fd: what they fail with says whether a filter was in the way. */
enum { A_CHMOD, A_CHROOT, A_CLONE3, A_TIOCNOTTY, A_TIOCSTI, A_TIOCSTI_HIGH, A_LISTEN, A_PRCTL, CALLS };

static void call_op(int call, char *op, size_t size) {
    const struct {
        long number, args[3];
    } calls[CALLS] = {
        [A_CHMOD] = {SYS_fchmodat, {AT_FDCWD, 1, 0700}},
        [A_CHROOT] = {SYS_chroot, {1}},
        [A_CLONE3] = {SYS_clone3, {1, 88}},
        [A_TIOCNOTTY] = {SYS_ioctl, {-1, TIOCNOTTY}},
        [A_TIOCSTI] = {SYS_ioctl, {-1, TIOCSTI, 1}},
        [A_TIOCSTI_HIGH] = {SYS_ioctl, {-1, 0x12300000000 | TIOCSTI, 1}},
        [A_LISTEN] = {SYS_listen, {-1, 42}},
        [A_PRCTL] = {SYS_prctl, {PR_GET_CHILD_SUBREAPER, 1}},
    };
    snprintf(op, size, "syscall %ld %ld %ld %ld", calls[call].number, calls[call].args[0], calls[call].args[1],
             calls[call].args[2]);
}

static void expect_calls(runner_t *runner, const char *const wants[CALLS]) {
    char ops[CALLS][128];
    struct poke pokes[CALLS];
    for (int i = 0; i < CALLS; i++) {
        call_op(i, ops[i], sizeof ops[i]);
        pokes[i] = (struct poke){ops[i], wants[i]};
    }
    poke_expect(runner, poke_path(), pokes, CALLS, __FILE__, __LINE__);
}

static const char *const unfiltered[CALLS] = {"EFAULT", "EFAULT", "EFAULT", "EBADF",
                                              "EBADF",  "EBADF",  "EBADF",  "EFAULT"};
static const char *const denied[CALLS] = {"ECONNREFUSED", "ECONNREFUSED", "EFAULT", "EBADF", "ECONNREFUSED",
                                          "ECONNREFUSED", "EBADF", "ECONNREFUSED"};

static struct filter deny_list(void) {
    struct filter filter = {.len = 0};
    filter_add(&filter, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    filter_add(&filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_fchmodat, 6, 0);
    filter_add(&filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_chroot, 5, 0);
    filter_add(&filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 4, 0);
    filter_add(&filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 2);
    /* The kernel takes the low 32 bits, so the filter may look at no others. */
    filter_add(&filter, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]), 0, 0);
    filter_add(&filter, BPF_JMP | BPF_JEQ | BPF_K, TIOCSTI, 1, 0);
    filter_add(&filter, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    filter_add(&filter, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ECONNREFUSED, 0, 0);
    return filter;
}

static struct filter allow_list(void) {
    return filter_only(SECCOMP_RET_ERRNO | ENOSYS, STATIC_STARTUP, SYS_execve, SYS_fchmodat, SYS_ioctl, SYS_prctl);
}

static void filters(void) {
    static const char *const allowed[CALLS] = {"EFAULT", "ENOSYS", "ENOSYS", "EBADF", "EBADF", "EBADF", "ENOSYS",
                                               "EFAULT"};
    runner_t *runner = poke("pid");
    expect_calls(runner, unfiltered);
    struct filter filter = allow_list();
    set_filter(runner, &filter);
    expect_calls(runner, allowed);
    filter = deny_list();
    set_filter(runner, &filter);
    expect_calls(runner, denied);
    runner_free(runner);
}

/* For a child: a host under a list of what is denied starts a program with a list of what is allowed. What one of
 * them refuses is refused; where both do, it is the errno of the program's, the later one. */
static void under_a_deny_list(void) {
    static const char *const both[CALLS] = {"ECONNREFUSED", "ENOSYS", "ENOSYS", "EBADF", "ECONNREFUSED",
                                            "ECONNREFUSED", "ENOSYS", "EFAULT"};
    struct filter first = deny_list(), second = allow_list();
    for (int i = 0; i < first.len; i++) /* the library sets no_new_privs by prctl, and loads the second filter */
        if (first.code[i].k == SYS_prctl)
            first.code[i].k = UINT32_MAX;
    struct sock_fprog program = {.len = first.len, .filter = first.code};
    ok_int(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0, "no_new_privs");
    ok_int(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0, "the host's own filter");
    runner_t *runner = poke("pid");
    set_filter(runner, &second);
    expect_calls(runner, both);
    runner_free(runner);
}

static void stacked(void) {
    in_child(under_a_deny_list);
}

static const struct test tests[] = {
    {"proc, dev and a network of its own, with and without a user namespace", proc_and_dev},
    {"what its user cannot read cannot be read through a bind", unreadable},
    {"the namespaces that the host sees are those that the program sees", namespaces_told},
    {"a sandbox in a sandbox has its own proc and root", recursive},
    {"a bind of / on / is refused: a root is made of pieces", root_on_root},
    {"the host's tree as pieces: /tmp is the host's, at its place and elsewhere", host_tree_and_tmp},
    {"a directory bound over /tmp or into it, and nothing else there", over_and_in_tmp},
    {"a bind over a link is one of where the link leads", over_a_link},
    {"a link that is there already is not made again, and not overwritten", links_kept},
    {"modes of what is made in a directory of the host", modes_in_the_host},
    {"a socket bound on a socket", socket_on_socket},
    {"a bind of an fd by its number is refused: binds are by path", bind_of_an_fd},
    {"sizes of a tmpfs", tmpfs_sizes},
    {"a program whose name looks like an option", names_like_options},
    {"argv[0] of one's own, with the program as an fd", another_name},
    {"the environment is what was set, and nothing else", environment},
    {"an overlay, by a raw mount", overlay},
    {"an overlay of directories whose names need escaping", overlay_escaped},
    {"an overlay of lower directories is read-only, and needs two", overlay_of_lower_layers},
    {"calls without a filter, with a list of what is allowed, with one of what is denied", filters},
    {"a filter beneath another", stacked},
};

static const struct guest guests[] = {{"nested", nested}};

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[1], "guest") == 0)
        return tap_main(argc, argv, NULL, 0, guests, COUNT(guests));
    return root_main(argc, argv, tests, COUNT(tests));
}
