/* The cases of minijail's unit tests that no other file has: docs/conformance.md lists all of them. */

#define _GNU_SOURCE
#include "tap.h"

#include "poke.h"
#include "root.h"
#include "host_tree.h"

/* ------------------------------------------------------------------ fds */

static void say_on(int fd, const char *text) {
    if (write(fd, text, strlen(text)) < 0)
        _exit(100 + fd);
}

/* A guest: it greets, closes its output wherever it stands, and says at last what its input was. */
static int talk(int argc, char **argv) {
    char line[64] = "", answer[128], end;
    say_on(1, "Hi\n");
    for (int i = 1; i < argc; i++)
        close(atoi(argv[i]));
    ssize_t got = read(0, line, sizeof line - 1);
    if (got <= 0 || read(0, &end, 1) != 0) /* the end of the input is seen too */
        return 1;
    snprintf(answer, sizeof answer, "%s and Goodbye\n", strtok(line, "\n"));
    say_on(2, answer);
    return 42;
}

/* What comes next from a pipe; "" at its end. */
static const char *next_of(int fd) {
    static char text[256];
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    ssize_t got = poll(&wait, 1, 20000) == 1 ? read(fd, text, sizeof text - 1) : -1;
    text[got < 0 ? 0 : got] = '\0';
    return got < 0 ? "(nothing)" : text;
}

/* Three pipes, at places[0] the end to read from, and the program's outputs at every third place. */
static void pipes_at(size_t places, const char *const *argv) {
    int in[2], out[2], err[2], files[30], null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ok_int(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0, "pipes");
    for (size_t i = 0; i < COUNT(files); i++)
        files[i] = i >= places ? null : i % 3 == 0 ? in[0] : i % 3 == 1 ? out[1] : err[1];
    runner_t *runner = runner_for(argv);
    runner_set_files(runner, files, COUNT(files));
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    close(in[0]), close(out[1]), close(err[1]), close(null);
    ok_str(next_of(out[0]), "Hi\n", "the output");
    ok_str(next_of(out[0]), "", "its end, as the program has closed it everywhere");
    ok_int(write(in[1], "Greetings\n", 10), 10, "the input");
    close(in[1]);
    ok_str(next_of(err[0]), "Greetings and Goodbye\n", "what it says to that");
    ok_str(next_of(err[0]), "", "its end, with the program");
    ok(exited(child_status(pid), 42), "it ends");
    close(out[0]), close(err[0]);
    runner_free(runner);
}

static void pipes(void) {
    pipes_at(3, (const char *const[]){self_path(), "guest", "talk", "1", NULL});
    pipes_at(9, (const char *const[]){self_path(), "guest", "talk", "1", "4", "7", NULL});
}

static void a_filter_program(void) {
    int in[2], out[2];
    ok_int(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0, "pipes");
    runner_t *runner = self_guest("cat");
    runner_set_files(runner, (int[]){in[0], out[1], out[1]}, 3);
    pid_t pid = start(runner);
    ok(pid > 0, "starts");
    close(in[0]), close(out[1]);
    ok_int(write(in[1], "test\n", 5), 5, "its input");
    ok_str(next_of(out[0]), "test\n", "comes back");
    kill(pid, SIGTERM);
    ok(killed_by(child_status(pid), SIGTERM), "SIGTERM ends it");
    close(in[1]), close(out[0]);
    runner_free(runner);
}

static int cat(int argc, char **argv) {
    char block[256];
    (void)argc, (void)argv;
    for (ssize_t got; (got = read(0, block, sizeof block)) > 0;)
        if (write(1, block, (size_t)got) != got)
            return 1;
    return 0;
}

/* ------------------------------------------------------------------ the end */

static void own_pid(void) {
    char output[1024];
    int ends[2];
    ok_int(pipe2(ends, O_CLOEXEC), 0, "a pipe");
    runner_t *runner = guest("session");
    runner_set_files(runner, (int[]){-1, ends[1]}, 2);
    pid_t pid = start(runner);
    close(ends[1]);
    read_all(ends[0], output, sizeof output);
    ok(exited(child_status(pid), 0), "it runs");
    ok_int(atoi(value_of(output, "pid")), pid, "its own idea of its pid");
    close(ends[0]);
    runner_free(runner);
}

static void exit_code_modulo(void) {
    static const struct {
        const char *code;
        int want;
    } rows[] = {{"0", 0}, {"255", 255}, {"256", 0}, {"-1", 255}, {"298", 42}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        runner_result_t result = RUNNER_RESULT_INIT;
        runner_t *runner = guest("exit", rows[i].code);
        ok_int(runner_run(runner, &result, &last_error), 0, "it runs");
        ok_int(result.verdict, RUNNER_VERDICT_FINISHED, "verdict");
        ok_int(result.exit_code, rows[i].want, "exit %s", rows[i].code);
        runner_free(runner);
    }
}

/* A run that is over can be asked again, and killed in vain. */
static void waited_for_twice(void) {
    runner_result_t results[2] = {RUNNER_RESULT_INIT, RUNNER_RESULT_INIT};
    runner_t *runner = guest("raise", "15");
    runner_process_t *process = runner_spawn(runner, &last_error);
    ok(process != NULL, "it starts");
    for (int i = 0; i < 2; i++) {
        ok_int(runner_process_wait(process, -1, &results[i]), 1, "it is over");
        ok_int(results[i].signal, SIGTERM, "its signal");
        ok_int(runner_process_kill(process), 0, "there is nothing to kill");
    }
    ok(memcmp(&results[0], &results[1], sizeof results[0]) == 0, "the same answer");
    runner_process_free(process);
    runner_free(runner);
}

/* ------------------------------------------------------------------ namespaces and mounts */

static runner_t *as_1000(uint64_t flags) {
    runner_t *runner = poke("pid");
    runner_set_unshare_flags(runner, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | flags);
    runner_add_uid_mapping(runner, 1000, geteuid(), 1);
    runner_add_gid_mapping(runner, 1000, getegid(), 1);
    return runner;
}

#define NEED_USERNS()                                       \
    do {                                                    \
        if (!have_userns())                                 \
            SKIP("no user namespaces that give capabilities"); \
    } while (0)

/* Over a directory of the host's tree, without a root of its own. */
static void tmpfs_of_another_id(void) {
    char dir[64], create[96], state[96];
    NEED_USERNS();
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    snprintf(create, sizeof create, "create %s/foo", dir);
    snprintf(state, sizeof state, "stat %s/foo", dir);
    runner_t *runner = as_1000(0);
    runner_add_tmpfs(runner, dir, 0, 0700);
    expect(runner, {create, "ok"}, {state, "file 0644 1000:1000"});
    ok(!exists(join(dir, "foo")), "the host's directory has nothing of it");
    runner_free(runner);
    remove_dir(dir);
}

/* What the program and a child of it say of a namespace. */
static void expect_new_namespace(runner_t *runner, const char *name) {
    char output[1024], op[128], child[PATH_MAX], own[64], *save;
    snprintf(op, sizeof op, "readlink /proc/self/ns/%s", name);
    snprintf(child, sizeof child, "exec %s %s", poke_path(), op);
    snprintf(own, sizeof own, "ns/%s", name);
    set_pokes(runner, poke_path(), (struct poke[]){{op, NULL}, {child, NULL}}, 2);
    ok(exited(run_output(runner, output, sizeof output), 0), "it runs");
    const char *of_program = strtok_r(output, "\n", &save), *of_child = strtok_r(NULL, "\n", &save);
    if (ok(of_program != NULL && strncmp(of_program, name, strlen(name)) == 0, "a namespace is named: %s", output))
        ok_str(of_child, of_program, "the child's %s", name);
    ok(of_program == NULL || strcmp(of_program, proc_link(getpid(), own)) != 0, "%s is not the host's", name);
}

static void namespaces_of_children(void) {
    static const char *const names[] = {"pid", "mnt", "user", "net", "cgroup", "uts"};
    const uint64_t flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_NEWUTS;
    NEED_USERNS();
    runner_t *rooted_one = in_host_tree(flags, RUNNER_BIND_RO), *rootless = poke("pid");
    runner_set_unshare_flags(rootless, flags | CLONE_NEWNS);
    for (size_t i = 0; i < COUNT(names); i++) {
        expect_new_namespace(rooted_one, names[i]);
        expect_new_namespace(rootless, names[i]);
    }
    runner_free(rooted_one);
    runner_free(rootless);
}

/* /etc/resolv.conf as some distributions have it: a link to what is made at run time. */
static void target_that_dangles(void) {
    char dir[64], file[96];
    snprintf(dir, sizeof dir, "%s", scratch_dir());
    snprintf(file, sizeof file, "%s/content", dir);
    ok_int(mkdir(join(dir, "etc"), 0755) | mkdir(join(dir, "run"), 0755), 0, "directories");
    ok_int(symlink("../run/shill/resolv.conf", join(dir, "etc/resolv.conf")), 0, "a link");
    ok(put_file(file, "nameserver 8.8.8.8", 0644), "a file");
    runner_t *runner = rooted(0);
    runner_add_bind(runner, join(dir, "etc"), "/etc", 0);
    runner_add_bind(runner, join(dir, "run"), "/run", 0);
    runner_add_bind(runner, file, "/etc/resolv.conf", 0);
    ok_refused(runner, RUNNER_STAGE_MOUNT, 3, ENOENT);
    ok(!exists(join(dir, "run/shill")), "nothing was made");
    runner_clear_root(runner);
    runner_add_bind(runner, poke_path(), "/poke", RUNNER_BIND_RO);
    runner_add_bind(runner, join(dir, "etc"), "/etc", 0);
    runner_add_bind(runner, file, "/run/shill/resolv.conf", 0);
    inside(runner, {"cat /etc/resolv.conf", "nameserver 8.8.8.8"});
    runner_free(runner);
    remove_dir(dir);
}

/* Which tag of shared subtrees the mount at /proc has inside: the optional fields of its line in mountinfo. */
static void expect_propagation(runner_t *runner, const char *want) {
    const char *info = answer_inside(runner, "cat /proc/self/mountinfo"), *line = strstr(info, " / /proc ");
    char rest[256] = "";
    if (!ok(line != NULL, "/proc is a mount: %s", info))
        return;
    snprintf(rest, sizeof rest, "%.*s", (int)strcspn(line, "\n"), line);
    bool none = strstr(rest, "shared:") == NULL && strstr(rest, "unbindable") == NULL;
    ok(*want == '\0' ? none : strstr(rest, want) != NULL, "its propagation: \"%s\", want \"%s\"", rest, want);
}

static void propagation(void) {
    static const struct {
        uint64_t flags;
        const char *want;
    } rows[] = {{0, ""}, {MS_SHARED, "shared:"}, {MS_PRIVATE, ""}, {MS_UNBINDABLE, "unbindable"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        runner_t *runner = rooted(CLONE_NEWPID);
        runner_add_proc(runner, "/proc", 0);
        if (rows[i].flags != 0)
            ok_int(runner_add_mount(runner, NULL, "/proc", NULL, rows[i].flags, NULL), 0, "a propagation type");
        expect_propagation(runner, rows[i].want);
        runner_free(runner);
    }
}

static void propagation_of_no_mount(void) {
    runner_t *runner = rooted(0);
    runner_add_dir(runner, "/dir", 0755);
    runner_add_mount(runner, NULL, "/dir", NULL, MS_PRIVATE, NULL);
    ok_refused(runner, RUNNER_STAGE_MOUNT, 2, EINVAL);
    runner_free(runner);
}

static void remounted_read_only(void) {
    NEED_USERNS();
    runner_t *runner = as_1000(0);
    runner_add_mount(runner, "none", "/", "none", MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
    set_pokes(runner, poke_path(), &(struct poke){"flags /", NULL}, 1);
    char output[256];
    ok(exited(run_output(runner, output, sizeof output), 0), "it runs");
    ok(strncmp(output, "ro", 2) == 0, "/ is read-only for the program: %s", output);
    ok_int(access("/tmp", W_OK), 0, "not for the host");
    runner_free(runner);
}

static void device_at_a_missing_target(void) {
    runner_t *runner = rooted(0);
    runner_add_bind(runner, "/dev/zero", "/not/there/zero", RUNNER_BIND_DEV);
    runner_add_bind(runner, "/dev/zero", "/not/there/closed", 0);
    inside(runner, {"device /not/there/zero", "1:5"}, {"readn /not/there/zero 4", "4 bytes, 4 zero"},
           {"readn /not/there/closed 4", "EACCES"}, {"stat /not/there", "dir 0755 0:0"});
    runner_free(runner);
}

/* ------------------------------------------------------------------ */

static const struct test tests[] = {
    {"pipes that stand at many places end when they are closed everywhere", pipes},
    {"a program between two pipes, ended by SIGTERM", a_filter_program},
    {"the pid of the start is the program's own", own_pid},
    {"exit codes are what is left of them in eight bits", exit_code_modulo},
    {"a run that is over can be waited for again", waited_for_twice},
    {"a tmpfs over the host's tree belongs to an id of a user namespace", tmpfs_of_another_id},
    {"all children have the namespaces of the program, in a root and without one", namespaces_of_children},
    {"a target that is a link to what is missing is refused; where the link leads can be bound", target_that_dangles},
    {"propagation: private, or what a raw mount says", propagation},
    {"propagation of what is no mount is refused", propagation_of_no_mount},
    {"the host's tree remounted read-only for the program", remounted_read_only},
    {"a device bound where nothing is", device_at_a_missing_target},
};

static const struct guest guests[] = {{"talk", talk}, {"cat", cat}};

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[1], "guest") == 0)
        return tap_main(argc, argv, NULL, 0, guests, COUNT(guests));
    return root_main(argc, argv, tests, COUNT(tests));
}
