/* The new root: what is in it, that nothing else is, that errors name its pieces, and that the host's tree stays. */

#define _GNU_SOURCE
#include "tap.h"

#include "poke.h"
#include "root.h"

/* ------------------------------------------------------------------ the root itself */

static void read_only(void) {
    runner_t *runner = rooted(0);
    runner_add_dir(runner, "/box", 0777);
    inside(runner, {"flags /", "ro,nosuid,nodev,noatime"}, {"create /x", "EROFS"}, {"mkdir /d", "EROFS"},
           {"create /box/x", "EROFS"}, {"rmdir /box", "EROFS"}, {"ls /", "box poke"}, {"ls /..", "box poke"},
           {"cwd", "/"});
    runner_free(runner);
}

static void writable(void) {
    runner_t *runner = rooted(0);
    ok_int(runner_set_root_writable(runner, true), 0, "writable");
    inside(runner, {"flags /", "rw,nosuid,nodev,noatime"}, {"create /x", "ok"}, {"mkdir /d", "ok"},
           {"ls /", "d poke x"});
    ok_int(runner_set_root_writable(runner, false), 0, "and read-only again");
    inside(runner, {"create /x", "EROFS"});
    runner_free(runner);
}

/* Devices and set-user-ID bits mean nothing on it, even where something could be put there. */
static void no_devices(void) {
    if (!is_root())
        SKIP("mknod(2) needs root");
    runner_t *runner = rooted(0);
    runner_set_root_writable(runner, true);
    inside(runner, {"mknod /null 1 3", "ok"}, {"open /null rw", "EACCES"});
    runner_free(runner);
}

/* The number of mounts that the running program sees. */
static int mounts_of(pid_t pid) {
    return lines_in(proc_text(pid, "mountinfo"));
}

static void old_root_gone(void) {
    struct stat root, cwd, host;
    runner_t *runner = rooted(0);
    set_pokes(runner, "/poke", &(struct poke){"pause", NULL}, 1);
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    ok_int(mounts_of(pid), 2, "two mounts, the root and /poke: %s", proc_text(pid, "mountinfo"));
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/root/.", (int)pid);
    ok_int(stat(path, &root), 0, "its root");
    snprintf(path, sizeof path, "/proc/%d/cwd/.", (int)pid);
    ok_int(stat(path, &cwd), 0, "its working directory");
    ok(stat("/", &host) == 0 && root.st_dev != host.st_dev, "its root is not the host's");
    ok(root.st_dev == cwd.st_dev && root.st_ino == cwd.st_ino, "its working directory is its root");
    end_of(pid);
    runner_free(runner);
}

/* chroot(2) out of a root by ".." works as root in a mere chroot; there is nothing above a pivoted root. */
static void no_way_up(void) {
    runner_t *runner = rooted(CLONE_NEWUSER);
    runner_set_root_writable(runner, true);
    runner_add_dir(runner, "/box", 0777);
    inside(runner, {"chdir /", "ok"}, {"chroot /box", "ok"}, {"chdir ../../../..", "ok"}, {"ls .", "box poke"},
           {"stat etc/passwd", "ENOENT"});
    runner_free(runner);
}

static void covered_directory(void) {
    char dir[64];
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    ok(put_file(join(dir, "kept"), "text", 0644), "a file in the pivot directory");
    runner_t *runner = rooted(0);
    runner_set_pivot_root(runner, dir);
    runner_set_root_writable(runner, true);
    inside(runner, {"ls /", "poke"}, {"create /x", "ok"});
    char text[16];
    ok(read_file(join(dir, "kept"), text, sizeof text) == 4 && !exists(join(dir, "x")) && !exists(join(dir, "poke")),
       "what is in the directory of the host is as it was");
    runner_free(runner);
    remove_dir(dir);
}

/* Paths that name the working directory or the root without a step would be opened beneath the new mount. */
static void pivot_without_a_step_checks(void) {
    static const char *const here[] = {".", "./", "/proc/self/cwd"}, *const roots[] = {"/", "/.", "//", "/proc/self/root"};
    char dir[64];
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    ok_int(chdir(dir), 0, "the working directory");
    for (size_t i = 0; i < COUNT(here); i++) {
        runner_t *runner = rooted(0);
        runner_set_pivot_root(runner, here[i]);
        runner_add_dir(runner, "/left-behind", 0755);
        inside(runner, {"ls /", "left-behind poke"});
        ok(!exists(join(dir, "left-behind")) && !exists(join(dir, "poke")), "%s: nothing in the host's directory", here[i]);
        runner_free(runner);
    }
    for (size_t i = 0; i < COUNT(roots); i++) {
        runner_t *runner = rooted(0);
        runner_set_pivot_root(runner, roots[i]);
        runner_add_dir(runner, "/left-behind", 0755);
        ok_failed(run(runner), RUNNER_STAGE_PIVOT_ROOT, -1, EINVAL);
        ok(!exists("/left-behind"), "%s: nothing in the host's root", roots[i]);
        runner_free(runner);
    }
    remove_dir(dir);
}

static void pivot_without_a_step(void) { in_child(pivot_without_a_step_checks); }

/* The tmpfs covers the directory only in the new namespace: what lies beneath it in the host can still be bound. */
static void source_beneath_pivot(void) {
    char dir[64];
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    ok(put_file(join(dir, "data"), "text", 0644), "a file in the pivot directory");
    runner_t *runner = rooted(0);
    runner_set_pivot_root(runner, dir);
    runner_add_bind(runner, join(dir, "data"), "/data", RUNNER_BIND_RO);
    runner_add_mount(runner, join(dir, "data"), "/raw", NULL, MS_BIND, NULL);
    inside(runner, {"cat /data", "text"}, {"cat /raw", "text"});
    runner_free(runner);
    remove_dir(dir);
}

static void bad_pivot(void) {
    char file[96];
    snprintf(file, sizeof file, "%s/file", scratch_dir());
    put_file(file, "", 0644);
    runner_t *runner = rooted(0);
    runner_set_pivot_root(runner, "/nonexistent/dir");
    ok_refused(runner, RUNNER_STAGE_PIVOT_ROOT, -1, ENOENT);
    runner_set_pivot_root(runner, file);
    ok_refused(runner, RUNNER_STAGE_PIVOT_ROOT, -1, ENOTDIR);
    runner_set_pivot_root(runner, pivot_dir);
    inside(runner, {"ls /", "poke"});
    runner_free(runner);
    *strrchr(file, '/') = '\0';
    remove_dir(file);
}

/* ------------------------------------------------------------------ directories, links, files */

static void modes_checks(void) {
    umask(0077);
    runner_t *runner = rooted(0);
    runner_set_umask(runner, 0077);
    runner_add_dir(runner, "/a/b/c", 01777);
    runner_add_dir(runner, "none", 0);
    runner_add_file(runner, "/f/g/file", "text", 4, 0644);
    runner_add_file(runner, "/su", "", 0, 04755);
    runner_add_file(runner, "/secret", NULL, 0, 0000);
    runner_add_symlink(runner, "../f/g/file", "/l/m/link");
    runner_add_tmpfs(runner, "/t/u/tmp", 0, 0733);
    runner_add_bind(runner, poke_path(), "/p/q/poke", RUNNER_BIND_RO);
    struct poke rows[] = {
        {"stat /a", "dir 0755 0:0"},       {"stat /a/b", "dir 0755 0:0"},  {"stat /a/b/c", "dir 1777 0:0"},
        {"stat /none", "dir 0000 0:0"},    {"stat /f/g", "dir 0755 0:0"},  {"stat /f/g/file", "file 0644 0:0"},
        {"stat /su", "file 4755 0:0"},     {"stat /secret", "file 0000 0:0"}, {"stat /l/m", "dir 0755 0:0"},
        {"stat /t/u", "dir 0755 0:0"},     {"stat /t/u/tmp", "dir 0733 0:0"}, {"stat /p/q", "dir 0755 0:0"},
        {"cat /f/g/file", "text"},         {"readlink /l/m/link", "../f/g/file"}, {"umask", "0077"},
    };
    poke_expect(runner, "/poke", rows, COUNT(rows), __FILE__, __LINE__);
    runner_free(runner);
}

static void modes(void) {
    in_child(modes_checks);
}

static void links(void) {
    char to[PATH_MAX];
    memset(to, 'l', sizeof to);
    to[PATH_MAX - 1] = '\0';
    runner_t *runner = rooted(0);
    runner_add_symlink(runner, "/nowhere/at/all", "dangling");
    runner_add_symlink(runner, "../../..", "/up");
    ok_int(runner_add_symlink(runner, to, "/long"), 0, "PATH_MAX - 1 bytes");
    inside(runner, {"readlink /dangling", "/nowhere/at/all"}, {"readlink /up", "../../.."},
           {"ls /up", "dangling long poke up"},
           {"readlink /long", to});
    runner_free(runner);
}

static void file_contents(void) {
    static char big[1 << 20];
    memset(big, 0, sizeof big);
    memcpy(big + sizeof big - 4, "end\n", 4);
    runner_t *runner = rooted(0);
    runner_add_file(runner, "/zeros", big, sizeof big - 4, 0644);
    runner_add_file(runner, "/empty", NULL, 0, 0644);
    runner_add_file(runner, "/passwd", "a:x:0:0:::\nb:x:1:1:::\n", 22, 0444);
    big[0] = 'x'; /* it was copied: this comes too late */
    inside(runner, {"readn /zeros 256", "256 bytes, 256 zero"}, {"cat /empty", ""},
           {"cat /passwd", "a:x:0:0:::\nb:x:1:1:::"}, {"write /passwd", "EROFS"});
    runner_free(runner);
}

/* Every byte of a file that is larger than one write(2) of a pipe or a page would take. */
static void large_file(void) {
    static char big[3 << 20];
    memset(big, 'b', sizeof big);
    runner_t *runner = rooted(0);
    runner_add_file(runner, "/big", big, sizeof big, 0644);
    set_pokes(runner, "/poke", &(struct poke){"pause", NULL}, 1);
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    char path[64];
    struct stat st = {0};
    snprintf(path, sizeof path, "/proc/%d/root/big", (int)pid);
    ok_int(stat(path, &st), 0, "the file is there");
    ok_int(st.st_size, sizeof big, "its size");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *map = mmap(NULL, sizeof big, PROT_READ, MAP_PRIVATE, fd, 0);
    ok(map != MAP_FAILED && memcmp(map, big, sizeof big) == 0, "its bytes");
    if (map != MAP_FAILED)
        munmap(map, sizeof big);
    close(fd);
    end_of(pid);
    runner_free(runner);
}

static void taken_names(void) {
    runner_t *runner = rooted(0);
    runner_add_file(runner, "/name", "1", 1, 0644);
    runner_add_file(runner, "/name", "2", 1, 0644);
    ok_refused(runner, RUNNER_STAGE_FILE, 2, EEXIST);
    runner_free(runner);
    runner = rooted(0);
    runner_add_dir(runner, "/name", 0755);
    runner_add_symlink(runner, "/x", "/name");
    ok_refused(runner, RUNNER_STAGE_SYMLINK, 2, EEXIST);
    runner_free(runner);
    runner = rooted(0);
    runner_add_symlink(runner, "/elsewhere", "/name");
    runner_add_file(runner, "/name", "through", 7, 0644);
    ok_refused(runner, RUNNER_STAGE_FILE, 2, EEXIST);
    runner_free(runner);
    runner = rooted(0);
    runner_add_file(runner, "/name", "1", 1, 0644);
    runner_add_dir(runner, "/name/below", 0755);
    ok_refused(runner, RUNNER_STAGE_MKDIR, 2, ENOTDIR);
    runner_free(runner);
}

/* ------------------------------------------------------------------ order and index */

static void one_after_the_other(void) {
    runner_t *runner = rooted(0);
    runner_add_file(runner, "/covered/file", "old", 3, 0644);
    runner_add_tmpfs(runner, "/covered", 0, 0755);
    runner_add_tmpfs(runner, "/open", 0, 0755);
    runner_add_file(runner, "/open/file", "new", 3, 0644);
    inside(runner, {"stat /covered/file", "ENOENT"}, {"cat /open/file", "new"});
    runner_free(runner);
}

static void add_missing(runner_t *r) { runner_add_bind(r, "/nonexistent", "/missing", 0); }
static void add_bad_type(runner_t *r) { runner_add_mount(r, "none", "/bad", "nosuchfs", 0, NULL); }
static void add_bad_data(runner_t *r) { runner_add_mount(r, "tmpfs", "/bad", "tmpfs", 0, "size=many"); }
static void add_raw_missing(runner_t *r) { runner_add_mount(r, "/nonexistent", "/bad", NULL, MS_BIND, NULL); }
static void add_below_file(runner_t *r) { runner_add_dir(r, "/poke/dir", 0755); }
static void add_taken_file(runner_t *r) { runner_add_file(r, "/poke", "", 0, 0644); }
static void add_taken_link(runner_t *r) { runner_add_symlink(r, "x", "/poke"); }
static void add_tmpfs_on_file(runner_t *r) { runner_add_tmpfs(r, "/poke", 0, 0755); }
static void add_dir_on_file(runner_t *r) { runner_add_bind(r, "/tmp", "/poke", 0); }

static const struct failing {
    const char *what;
    void (*add)(runner_t *);
    uint32_t stage;
    int err;
} failings[] = {
    {"a bind without a source", add_missing, RUNNER_STAGE_MOUNT, ENOENT},
    {"a mount of an unknown type", add_bad_type, RUNNER_STAGE_MOUNT, ENODEV},
    {"a tmpfs with bad data", add_bad_data, RUNNER_STAGE_MOUNT, EINVAL},
    {"a raw bind without a source", add_raw_missing, RUNNER_STAGE_MOUNT, ENOENT},
    {"a directory beneath a file", add_below_file, RUNNER_STAGE_MKDIR, ENOTDIR},
    {"a file that is there", add_taken_file, RUNNER_STAGE_FILE, EEXIST},
    {"a link that is there", add_taken_link, RUNNER_STAGE_SYMLINK, EEXIST},
    {"a tmpfs on a file", add_tmpfs_on_file, RUNNER_STAGE_MOUNT, ENOTDIR},
    {"a directory bound on a file", add_dir_on_file, RUNNER_STAGE_MOUNT, ENOTDIR},
};

/* Linux says EINVAL by move_mount(2) where it says ENOTDIR by mount(2): a directory on a file. */
static bool same_error(int got, int want) {
    return got == want || (want == ENOTDIR && got == EINVAL);
}

/* Six pieces of every kind in front, a skipped one among them: each has its number. */
static void index_of_failing(void) {
    struct counts before = counts_now();
    for (size_t i = 0; i < COUNT(failings); i++) {
        runner_t *runner = rooted(0);
        runner_add_dir(runner, "/one", 0755);
        runner_add_symlink(runner, "one", "/two");
        runner_add_file(runner, "/three", "3", 1, 0644);
        runner_add_tmpfs(runner, "/four", 0, 0755);
        runner_add_bind(runner, "/nonexistent", "/five", RUNNER_BIND_OPTIONAL);
        runner_add_mount(runner, "tmpfs", "/six", "tmpfs", 0, NULL);
        failings[i].add(runner);
        runner_add_dir(runner, "/later", 0755);
        int result = run(runner);
        ok(same_error(-result, failings[i].err), "%s: errno %d", failings[i].what, -result);
        /* A mount point that is a file instead of a directory may be seen when it is made, or when it is mounted on. */
        bool early = failings[i].stage == RUNNER_STAGE_MOUNT && failings[i].err == ENOTDIR
                     && last_error.stage == RUNNER_STAGE_MKDIR;
        if (!ok_failed(result, early ? RUNNER_STAGE_MKDIR : failings[i].stage, 7, -result))
            diag("  that was: %s", failings[i].what);
        runner_free(runner);
    }
    ok_nothing_left(before);
}

/* A root without poke in it, so that the number is known. */
static void index_after_clear(void) {
    runner_t *runner = rooted(0);
    runner_add_dir(runner, "/one", 0755);
    ok_int(runner_clear_root(runner), 0, "clear");
    add_missing(runner);
    ok_refused(runner, RUNNER_STAGE_MOUNT, 0, ENOENT);
    runner_clear_root(runner);
    runner_add_bind(runner, poke_path(), "/poke", RUNNER_BIND_RO);
    inside(runner, {"ls /", "poke"});
    runner_free(runner);
}

static void message_names_the_piece(void) {
    runner_t *runner = rooted(0);
    runner_add_bind(runner, "/nonexistent/jdk", "/opt/jdk", RUNNER_BIND_RO);
    ok_refused(runner, RUNNER_STAGE_MOUNT, 1, ENOENT);
    ok(strstr(last_error.message, "/nonexistent/jdk") != NULL && strstr(last_error.message, "opt/jdk") != NULL,
       "the message names both paths: %s", last_error.message);
    runner_free(runner);
}

/* ------------------------------------------------------------------ the working directory */

static void workdir(void) {
    runner_t *runner = rooted(0);
    runner_add_dir(runner, "/home/run", 0755);
    runner_add_symlink(runner, "home/run", "/w");
    runner_set_workdir(runner, "/home/run");
    inside(runner, {"cwd", "/home/run"});
    runner_set_workdir(runner, "home");
    inside(runner, {"cwd", "/home"});
    runner_set_workdir(runner, "/w");
    inside(runner, {"cwd", "/home/run"});
    runner_set_workdir(runner, "/missing");
    ok_refused(runner, RUNNER_STAGE_CHDIR, -1, ENOENT);
    runner_set_workdir(runner, "/poke");
    ok_refused(runner, RUNNER_STAGE_CHDIR, -1, ENOTDIR);
    runner_free(runner);
}

/* It is the working directory that a relative argv[0] starts from. */
static void program_from_workdir(void) {
    runner_t *runner = rooted(0);
    runner_add_bind(runner, poke_path(), "/home/run/prog", RUNNER_BIND_RO);
    runner_set_workdir(runner, "/home/run");
    expect_at(runner, "./prog", {"cwd", "/home/run"});
    expect_at(runner, "../../poke", {"cwd", "/home/run"});
    runner_free(runner);
}

/* CVE-2024-21626: by an fd of the host's the working directory could lie outside the new root. */
static void workdir_outside(void) {
    int host = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    runner_t *runner = rooted(CLONE_NEWPID);
    runner_add_proc(runner, "/proc", 0);
    runner_set_files(runner, (int[]){null, null, null, host}, 4);
    set_pokes(runner, "/poke", &(struct poke){"cwd", NULL}, 1);
    runner_set_workdir(runner, "/proc/self/fd/3");
    int result = run(runner);
    ok(result < 0 && last_error.stage == RUNNER_STAGE_CHDIR && last_error.message[0],
       "a working directory outside the root is refused: %d, stage %s", result, runner_stage_name(last_error.stage));
    runner_set_workdir(runner, "/proc/self/cwd");
    result = run(runner);
    ok(result < 0 ? last_error.stage == RUNNER_STAGE_CHDIR : exited(result, 0), "by /proc/self/cwd too: %d", result);
    runner_set_workdir(runner, "/proc");
    ok(exited(run(runner), 0), "control: one inside is not");
    runner_free(runner);
    close(host);
    close(null);
}

/* ------------------------------------------------------------------ the host's tree stays */

static void busy_root(runner_t *runner) {
    runner_add_dev(runner, "/dev");
    runner_add_proc(runner, "/proc", RUNNER_PROC_MASK);
    runner_add_tmpfs(runner, "/tmp", 1 << 20, 01777);
    runner_add_bind(runner, "/etc", "/etc", RUNNER_BIND_RO | RUNNER_BIND_REC);
    runner_add_mount(runner, "tmpfs", "/raw", "tmpfs", MS_NOEXEC, "size=64k");
}

static char mounts_before[1 << 17];

static void remember_mounts(void) {
    snprintf(mounts_before, sizeof mounts_before, "%s", proc_text(getpid(), "mountinfo"));
}

static void ok_mounts_unchanged(const char *when) {
    ok_str(proc_text(getpid(), "mountinfo"), mounts_before, "the host's mounts %s", when);
}

static void mounts_stay_inside(void) {
    remember_mounts();
    runner_t *runner = rooted(CLONE_NEWPID);
    busy_root(runner);
    set_pokes(runner, "/poke", &(struct poke){"pause", NULL}, 1);
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    ok_mounts_unchanged("while it runs");
    end_of(pid);
    runner_add_bind(runner, "/nonexistent", "/x", 0);
    ok(run(runner) < 0, "a start that fails at its last piece");
    ok_mounts_unchanged("afterwards");
    runner_free(runner);
}

/* A mount by a process that did not make its mounts private: it must be seen, else the test below sees nothing. */
static void mount_carelessly(const char *dir) {
    pid_t pid = fork();
    if (pid == 0)
        _exit(unshare(CLONE_NEWNS) != 0 || mount("tmpfs", dir, "tmpfs", 0, NULL) != 0);
    ok(exited(child_status(pid), 0), "a careless mount in another namespace");
    ok(strcmp(proc_text(getpid(), "mountinfo"), mounts_before) != 0, "control: a careless mount reaches the host");
    umount2(dir, MNT_DETACH);
}

/* systemd makes the root of a real host shared: there a mount spreads unless it is made private first. */
static void shared_checks(void) {
    char dir[64];
    if (!become_mounter())
        return;
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    ok_int(mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL), 0, "a host whose tree is shared");
    remember_mounts();
    runner_t *runner = rooted(CLONE_NEWPID);
    runner_set_unshare_flags(runner, CLONE_NEWNS | CLONE_NEWPID);
    busy_root(runner);
    set_pokes(runner, "/poke", &(struct poke){"pause", NULL}, 1);
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    ok_mounts_unchanged("while it runs");
    ok(strstr(proc_text(pid, "mountinfo"), "shared:") == NULL, "none of its mounts is shared");
    ok(strstr(proc_text(pid, "mountinfo"), "master:") == NULL, "none gets mounts of the host later");
    end_of(pid);
    runner_free(runner);
    runner = poke("pause");
    runner_set_unshare_flags(runner, CLONE_NEWNS);
    runner_add_tmpfs(runner, dir, 0, 0755);
    pid = start(runner);
    ok(pid > 0, "starts without a root of its own");
    ok_mounts_unchanged("while that one runs");
    end_of(pid);
    runner_free(runner);
    mount_carelessly(dir);
    remove_dir(dir);
}

static void shared_host(void) {
    in_child(shared_checks);
}

/* Without a root of its own the pieces are put over the host's tree as the new namespace sees it. */
static void pieces_without_root(void) {
    char dir[64];
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    put_file(join(dir, "kept"), "text", 0644);
    mkdir(join(dir, "over"), 0755);
    put_file(join(dir, "over/hidden"), "text", 0644);
    runner_t *runner = poke("pid");
    runner_set_unshare_flags(runner, CLONE_NEWNS | userns_if_needed());
    runner_add_tmpfs(runner, join(dir, "over"), 0, 0755);
    char ops[4][128];
    snprintf(ops[0], sizeof ops[0], "ls %s/over", dir);
    snprintf(ops[1], sizeof ops[1], "create %s/over/new", dir);
    snprintf(ops[2], sizeof ops[2], "cat %s/kept", dir);
    expect(runner, {ops[0], ""}, {ops[1], "ok"}, {ops[2], "text"});
    ok(exists(join(dir, "over/hidden")) && !exists(join(dir, "over/new")), "the host's directory is as it was");
    runner_free(runner);
    remove_dir(dir);
}

static void two_hundred_binds(void) {
    char dir[64], target[64], text[32];
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    runner_t *runner = rooted(0);
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "file %d", i);
        snprintf(target, sizeof target, "/lib/%d/file", i);
        const char *path = join(dir, text + 5);
        ok(put_file(path, text, 0644), "file %d", i);
        ok_int(runner_add_bind(runner, path, target, RUNNER_BIND_RO), 0, "bind %d", i);
    }
    inside(runner, {"cat /lib/0/file", "file 0"}, {"cat /lib/99/file", "file 99"}, {"cat /lib/199/file", "file 199"},
           {"write /lib/199/file", "EROFS"});
    set_pokes(runner, "/poke", &(struct poke){"pause", NULL}, 1);
    pid_t pid = start(runner);
    ok_int(mounts_of(pid), 202, "the root, /poke and 200 binds");
    end_of(pid);
    runner_add_bind(runner, join(dir, "200"), "/lib/200/file", RUNNER_BIND_RO);
    ok_refused(runner, RUNNER_STAGE_MOUNT, 201, ENOENT);
    runner_free(runner);
    remove_dir(dir);
}

static const struct test tests[] = {
    {"the root is read-only, nosuid, nodev, noatime, and holds its pieces only", read_only},
    {"a writable root is writable and still nosuid, nodev", writable},
    {"a device in a writable root cannot be opened", no_devices},
    {"pieces do not land in the host's own tree, whatever names the pivot directory", pivot_without_a_step},
    {"the old root is gone: no mount of it, no directory in it", old_root_gone},
    {"the root of a user namespace finds no way above its root", no_way_up},
    {"what lies in the directory of the root is covered, not touched", covered_directory},
    {"what lies beneath the directory of the root can be bound", source_beneath_pivot},
    {"a missing directory for the root is an error of pivot_root", bad_pivot},
    {"modes are as asked, parents 0755, whatever the umask", modes},
    {"symbolic links lead where they were told to, and no further than the root", links},
    {"files hold their bytes as they were when they were added", file_contents},
    {"a file of 3 MiB arrives whole", large_file},
    {"what is there already is not overwritten or followed", taken_names},
    {"pieces are made in their order", one_after_the_other},
    {"an error names the piece by its number among all pieces", index_of_failing},
    {"clear_root begins the numbers again", index_after_clear},
    {"the message of a failed bind names source and target", message_names_the_piece},
    {"the working directory is inside the root; a missing one is an error", workdir},
    {"a relative program starts from the working directory", program_from_workdir},
    {"a working directory outside the root is refused", workdir_outside},
    {"mounts do not reach the host", mounts_stay_inside},
    {"mounts do not reach a host whose tree is shared", shared_host},
    {"pieces without a root cover the host's tree for the program only", pieces_without_root},
    {"200 binds", two_hundred_binds},
};

int main(int argc, char **argv) {
    return root_main(argc, argv, tests, COUNT(tests));
}
