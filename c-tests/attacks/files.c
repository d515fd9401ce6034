/* Attacks on the host's files: ways out of the root by fds, the working directory and /proc; files opened anew
 * with more rights, by their handles, or with fewer groups; the host's own program; mounts over what is the
 * host's. */

#define _GNU_SOURCE
#include "tap.h"

#include "attack.h"
#include "filters.h"
#include "judge.h"
#include <dlfcn.h>
#include <libgen.h>
#include <sys/prctl.h>

/* A directory of the host with a file that everybody may read, and that no root is given. */
static char dir[64];

#define SECRET join(dir, "secret")

static void make_secret(void) {
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    ok(put_file(SECRET, "secret", 0644), "a file of the host");
}

static const char *text_at(const char *path) {
    static char text[64];
    read_file(path, text, sizeof text);
    return text;
}

/* ------------------------------------------------------------------ ways out of the root */

static runner_t *walker(void) {
    runner_t *runner = hostile_in_root(CLONE_NEWPID);
    runner_add_proc(runner, "/proc", 0);
    return runner;
}

static void out_by_fds(void) {
    make_secret();
    const char *walk = op("walk %s", SECRET);
    int leaked = open(dir, O_RDONLY | O_DIRECTORY), path = open("/", O_PATH | O_DIRECTORY); /* no close-on-exec */
    runner_t *runner = walker();
    attacks_inside(runner, {walk, "nothing"});
    ok_str(answer_with(runner, "/hostile", walk, &leaked, 1), "got by an fd", "a directory that is given");
    ok_str(answer_with(runner, "/hostile", walk, &path, 1), "got by an fd", "one opened with O_PATH");
    runner_free(runner);
    close(leaked);
    close(path);
    remove_dir(dir);
}

/* nsjail#268: a careless caller passes on its own fd 0, which is a directory. */
static void out_by_stdio(void) {
    make_secret();
    char output[256];
    int leaked = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ends[2];
    runner_t *runner = walker();
    ok_int(pipe2(ends, O_CLOEXEC), 0, "a pipe");
    runner_set_files(runner, (int[]){leaked, ends[1], ends[1]}, 3);
    set_pokes(runner, "/hostile", &(struct poke){op("walk %s", SECRET), NULL}, 1);
    ok_failed(run(runner), RUNNER_STAGE_DUP, 0, EISDIR);
    runner_set_allow_directory_files(runner, true);
    ok(exited(run(runner), 0), "control: it is allowed");
    close(ends[1]);
    read_all(ends[0], output, sizeof output);
    ok_str(output, "got by an fd\n", "control: by fd 0");
    runner_free(runner);
    close(ends[0]);
    close(leaked);
    remove_dir(dir);
}

/* CVE-2024-21626, and every chroot(2) without a chdir(2): a working directory that stays outside. */
static void careless_checks(void) {
    char output[256];
    int ends[2];
    if (!become_mounter() || !ok(pipe2(ends, O_CLOEXEC) == 0, "a pipe"))
        return;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        if (chdir(dir) == 0 && chroot(join(dir, "root")) == 0)
            execl("/hostile", "/hostile", op("walk %s", SECRET), (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    read_all(ends[0], output, sizeof output);
    ok(exited(child_status(pid), 0), "a careless host");
    ok_str(output, "got by the working directory\n", "control: its program");
    close(ends[0]);
}

static void out_by_cwd(void) {
    make_secret();
    ok(mkdir(join(dir, "root"), 0755) == 0 && copy_file(hostile_path(), join(dir, "root/hostile"), 0755), "a root");
    in_child(careless_checks);
    int leaked = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
    runner_t *runner = walker();
    set_pokes(runner, "/hostile", &(struct poke){op("walk %s", SECRET), NULL}, 1);
    runner_set_files(runner, (int[]){null, null, null, leaked}, 4);
    runner_set_workdir(runner, "/proc/self/fd/3");
    ok(run(runner) < 0 && last_error.stage == RUNNER_STAGE_CHDIR, "one by an fd that leads out is refused");
    runner_set_workdir(runner, "/");
    attacks_inside(runner, {op("walk %s", SECRET), "nothing"});
    runner_free(runner);
    close(leaked);
    close(null);
    remove_dir(dir);
}

/* The host's own proc in the root leads everywhere; a user namespace closes its links, but not what it tells. */
static void out_by_proc(void) {
    make_secret();
    const char *walk = op("walk %s", SECRET);
    runner_t *runner = hostile_in_root(0);
    runner_add_bind(runner, "/proc", "/proc", RUNNER_BIND_REC);
    attacks_inside(runner, {walk, as_root_else("got by another process", "nothing")});
    if (is_root() && have_userns()) {
        runner_set_unshare_flags(runner, CLONE_NEWNS | CLONE_NEWUSER);
        attacks_inside(runner, {walk, "nothing"});
    }
    runner_free(runner);
    runner = walker();
    attacks_inside(runner, {walk, "nothing"});
    runner_free(runner);
    remove_dir(dir);
    if (!is_root())
        SKIP("the user namespace, without which this user gets no root, keeps it out by itself");
}

/* ------------------------------------------------------------------ more rights than were given */

/* An fd is a door into the file: /proc opens it anew, with the rights of the user and not with those of the fd. */
static void reopened(void) {
    make_secret();
    int fd = open(SECRET, O_RDONLY | O_CLOEXEC);
    runner_t *runner = walker();
    ok_str(answer_with(runner, "/hostile", "reopen 3", &fd, 1), "got", "by default, with a proc");
    ok_str(text_at(SECRET), "mineet", "control: it is written to");
    put_file(SECRET, "secret", 0644);
    if (is_root()) {
        runner_set_credential(runner, 1000, 1000, NULL, 0);
        ok_str(answer_with(runner, "/hostile", "reopen 3", &fd, 1), "EACCES", "with a credential");
    }
    runner_free(runner);
    runner = hostile_in_root(CLONE_NEWPID);
    ok_str(answer_with(runner, "/hostile", "reopen 3", &fd, 1), "ENOENT", "without a proc");
    runner_free(runner);
    ok_str(text_at(SECRET), "secret", "the file is as it was");
    close(fd);
    remove_dir(dir);
}

/* The handle of a file as the hostile program takes it: its type and its bytes in hex. False where there are none. */
static bool handle_of(const char *path, char *words, size_t size) {
    struct file_handle *handle = calloc(1, sizeof *handle + MAX_HANDLE_SZ);
    int mount;
    handle->handle_bytes = MAX_HANDLE_SZ;
    bool good = name_to_handle_at(AT_FDCWD, path, handle, &mount, 0) == 0;
    const unsigned char *bytes = (const unsigned char *)(handle + 1);
    int n = good ? snprintf(words, size, "%d ", handle->handle_type) : 0;
    for (unsigned i = 0; good && i < handle->handle_bytes; i++)
        n += snprintf(words + n, size - (size_t)n, "%02x", bytes[i]);
    free(handle);
    return good;
}

/* In the root there is a directory of the same file system, and the file is not in it. */
static runner_t *with_part_of_disk(void) {
    runner_t *runner = hostile_in_root(0);
    runner_add_bind(runner, join(dir, "part"), "/part", RUNNER_BIND_RO);
    return runner;
}

static void by_handle(void) {
    char handle[2 * MAX_HANDLE_SZ + 32];
    make_secret();
    mkdir(join(dir, "part"), 0755);
    if (!is_root() || !handle_of(SECRET, handle, sizeof handle)) {
        remove_dir(dir);
        SKIP("no file handles in /tmp, or no CAP_DAC_READ_SEARCH, which an ordinary user's program cannot have");
    }
    const char *attack = op("handle /part %s", handle);
    runner_t *runner = with_part_of_disk();
    attacks_inside(runner, {attack, "got"});
    runner_set_drop_caps(runner, true);
    attacks_inside(runner, {attack, "EPERM"});
    runner_free(runner);
    runner = with_part_of_disk();
    runner_set_credential(runner, 1000, 1000, NULL, 0);
    attacks_inside(runner, {attack, "EPERM"});
    runner_clear_credential(runner);
    if (have_userns()) {
        runner_set_unshare_flags(runner, CLONE_NEWNS | CLONE_NEWUSER);
        const char *got = answer_with(runner, "/hostile", attack, NULL, 0);
        ok(strcmp(got, "EPERM") == 0 || strcmp(got, "ESTALE") == 0, "with a user namespace: %s", got);
    }
    runner_free(runner);
    remove_dir(dir);
}

/* A file that its group may not read, though everybody else may. The host is in that group. */
static void leave_group_checks(void) {
    enum { OWNER = 54321, GROUP = 54322 };
    ok_int(setgroups(1, (gid_t[]){GROUP}), 0, "the host is in the group");
    ok(chown(SECRET, OWNER, GROUP) == 0 && chmod(SECRET, 0604) == 0, "a file that is not for the group");
    runner_t *runner = hostile();
    runner_set_unshare_flags(runner, CLONE_NEWUSER);
    attacks(runner, {op("leave-group %s", SECRET), "EPERM"});
    runner_set_allow_setgroups(runner, true);
    attacks(runner, {op("leave-group %s", SECRET), "got"});
    runner_free(runner);
}

static void leave_group(void) {
    if (!is_root() || !have_userns())
        SKIP("only root may allow setgroups in a user namespace; to others the kernel denies it");
    make_secret();
    in_child(leave_group_checks);
    remove_dir(dir);
}

/* ------------------------------------------------------------------ the host's own program */

/* CVE-2019-5736. What is executed when a program is a script of "#!/proc/self/exe", or a link to it, is the host's
 * binary: at the exec /proc/self/exe is still that. Its loader and its libraries are those of the root, so it does
 * what the root's maker wants; here it is this binary, and the guest function stands for that. */
static int inside_launcher(int argc, char **argv) {
    (void)argc, (void)argv;
    int fd = open("/proc/self/exe", O_PATH);
    char attack[32];
    snprintf(attack, sizeof attack, "overwrite %d", fd);
    execl("/hostile", "/hostile", attack, (char *)NULL);
    return 1;
}

/* What the dynamic loader needs to run this binary. */
static void add_own_libraries(runner_t *runner) {
    Dl_info info;
    char path[PATH_MAX];
    add_system(runner);
    if (dladdr((void *)(uintptr_t)runner_new, &info) != 0 && realpath(info.dli_fname, path) != NULL)
        runner_add_bind(runner, dirname(path), dirname((char *)op("%s", info.dli_fname)), RUNNER_BIND_RO);
}

static void take_openat2_away(void) {
    struct filter filter = filter_on(SECCOMP_RET_ERRNO | ENOSYS, SYS_openat2);
    struct sock_fprog program = {.len = filter.len, .filter = filter.code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* launch BOX DEFENCE: a host that starts what lies in the box, and ends. */
static int launch(int argc, char **argv) {
    if (argc < 3)
        return 2;
    const char *defence = argv[2];
    runner_t *runner = runner_for((const char *[]){"/box/prog", "guest", "/box/prog", NULL});
    bool user = !is_root() || strstr(defence, "userns") != NULL;
    runner_set_unshare_flags(runner, CLONE_NEWNS | CLONE_NEWPID | (user ? CLONE_NEWUSER : 0));
    runner_set_pivot_root(runner, argv[1]);
    runner_set_files(runner, (int[]){0, 1, 1}, 3);
    runner_set_drop_caps(runner, true);
    add_own_libraries(runner);
    runner_add_bind(runner, hostile_path(), "/hostile", RUNNER_BIND_RO);
    runner_add_bind(runner, argv[1], "/box", RUNNER_BIND_RO);
    if (strstr(defence, "no-proc") == NULL)
        runner_add_proc(runner, "/proc", RUNNER_PROC_RO | RUNNER_PROC_HIDEPID);
    if (strstr(defence, "map") != NULL) {
        runner_add_uid_mapping(runner, 1000, 61999, 1);
        runner_add_gid_mapping(runner, 1000, 61999, 1);
        runner_set_credential(runner, 1000, 1000, NULL, 0);
    }
    if (strstr(defence, "without-openat2") != NULL)
        take_openat2_away();
    runner_error_t error = RUNNER_ERROR_INIT;
    pid_t pid = runner_start(runner, &error);
    if (pid < 0)
        printf("%s %s\n", runner_stage_name(error.stage), strerrorname_np(error.err));
    fflush(stdout);
    return 0;
}

/* Runs a copy of this binary as the host. What comes of it. */
static const char *answer_of_launch(const char *defence) {
    static char output[256];
    int ends[2];
    ok_int(pipe2(ends, O_CLOEXEC), 0, "a pipe");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        execl(join(dir, "launcher"), "launcher", "guest", "launch", join(dir, "box"), defence, (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    ok(exited(child_status(pid), 0), "the host ends");
    ok(read_all(ends[0], output, sizeof output), "so does its program");
    close(ends[0]);
    output[strcspn(output, "\n")] = '\0';
    return output;
}

static bool make_program(bool script) {
    unlink(join(dir, "box/prog"));
    return script ? put_file(join(dir, "box/prog"), "#!/proc/self/exe guest\n", 0755)
                  : symlink("/proc/self/exe", join(dir, "box/prog")) == 0;
}

static void own_program(void) {
    static const struct {
        const char *defence, *want;
        bool root_only;
    } rows[] = {
        /* The control: on a kernel without openat2 nobody looks. */
        {"without-openat2", "got", false},
        {"none", "exec ELOOP", false},
        {"userns", "exec ELOOP", false},
        {"without-openat2 userns map", "EACCES", true},
        {"no-proc", "exec ENOENT", false},
    };
    make_secret();
    mkdir(join(dir, "box"), 0755);
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        const char *defence = rows[i / 2].defence, *want = rows[i / 2].want;
        if (rows[i / 2].root_only && !is_root())
            continue;
        if (is_root() && strstr(defence, "userns") && !have_userns())
            continue;
        ok(copy_file(self_path(), join(dir, "launcher"), 0755) && make_program(i % 2), "a host and a program");
        ok_str(answer_of_launch(defence), want, "%s, %s", defence, i % 2 ? "a script" : "a link");
        char first[5] = "";
        read_file(join(dir, "launcher"), first, sizeof first);
        ok_int(strcmp(first, "mine") == 0, strcmp(want, "got") == 0, "%s: the host's binary is overwritten", defence);
    }
    remove_dir(dir);
}

/* ------------------------------------------------------------------ mounts */

static int mounts(void) {
    return lines_in(proc_text(getpid(), "mountinfo"));
}

/* A host whose tree is shared, as systemd makes it. */
static void mount_checks(void) {
    if (!become_mounter() || !ok(mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) == 0, "a shared tree"))
        return;
    int before = mounts();
    const char *attack = op("mount-over %s", dir);
    runner_t *runner = hostile();
    attacks(runner, {attack, "got"});
    ok_int(mounts(), before + 1, "control: without a mount namespace it is the host's");
    umount2(dir, MNT_DETACH);
    runner_set_unshare_flags(runner, CLONE_NEWNS);
    attacks(runner, {attack, "got"});
    ok_int(mounts(), before, "with one it is the program's own");
    runner_set_drop_caps(runner, true);
    attacks(runner, {attack, "EPERM"});
    runner_free(runner);
}

static void mount_over(void) {
    make_secret();
    in_child(mount_checks);
    ok(exists(SECRET), "the host sees its own");
    remove_dir(dir);
}

static const struct test tests[] = {
    {"out of the root by leaked fds: by default", out_by_fds},
    {"out of the root by a directory as fd 0: by default", out_by_stdio},
    {"out of the root by the working directory: by default", out_by_cwd},
    {"out of the root by /proc: with a proc of its own, or a user namespace", out_by_proc},
    {"an fd for reading opened anew for writing: not by default; with a credential, or without a proc", reopened},
    {"a file by its handle: root's program not by default; with drop_caps, a credential or a user namespace",
     by_handle},
    {"a group left for more rights: by default", leave_group},
    {"the host's binary overwritten: by default where there is openat2; with a map to another id, or without a proc",
     own_program},
    {"mounts over the host's directories: not by default; with a mount namespace", mount_over},
};

static const struct guest guests[] = {{"launch", launch}, {"/box/prog", inside_launcher}};

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[1], "guest") == 0)
        return tap_main(argc, argv, tests, COUNT(tests), guests, COUNT(guests));
    return root_main(argc, argv, tests, COUNT(tests));
}
