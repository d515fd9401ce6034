/* Tables of what is tried from inside a run against what has to come of it, with the guest c-tests/guest/poke.c:
 *
 *     expect(runner, {"create /x", "EROFS"}, {"stat /tmp", "dir 1777 0:0"});
 *
 * Include after tap.h. */

#ifndef POKE_H
#define POKE_H

#include <ftw.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* One try: what poke is told, and the line (or lines, parted by '\n') that it has to print. */
struct poke {
    const char *op, *want;
};

enum { POKES_MAX = 64 };

/* poke.static, beside the inspector. */
TAP_HELPER const char *poke_path(void) {
#ifdef GUEST_DIR
    return GUEST_DIR "/poke.static";
#else
    static char path[PATH_MAX];
    const char *slash = strrchr(guest_path(), '/');
    snprintf(path, sizeof path, "%.*s/poke.static", slash ? (int)(slash - guest_path()) : 0, guest_path());
    return path;
#endif
}

/* Makes poke, at `program` as seen from inside, the runner's program, with these ops. */
TAP_HELPER void set_pokes(runner_t *runner, const char *program, const struct poke *pokes, size_t n) {
    const char *argv[POKES_MAX + 2] = {program};
    for (size_t i = 0; i < n && i < POKES_MAX; i++)
        argv[i + 1] = pokes[i].op;
    if (runner_set_args(runner, argv) != 0)
        diag("runner_set_args failed");
}

/* The number of lines in a text whose last line may lack its '\n'. */
TAP_HELPER int lines_in(const char *text) {
    int n = 1;
    for (; *text; text++)
        n += *text == '\n' && text[1];
    return n;
}

/* Cuts the next `n` lines off `*text`. */
TAP_HELPER char *cut_lines(char **text, int n) {
    char *first = *text, *end = first;
    for (; n > 0 && *end != '\0'; n--) {
        end = strchrnul(end, '\n');
        end += *end == '\n';
    }
    *text = end;
    if (end > first && end[-1] == '\n')
        end[-1] = '\0';
    return first;
}

TAP_HELPER bool poke_expect(runner_t *runner, const char *program, const struct poke *pokes, size_t n,
                            const char *file, int line) {
    static char output[1 << 17];
    set_pokes(runner, program, pokes, n);
    int status = run_output(runner, output, sizeof output);
    bool good = tap_ok(exited(status, 0), file, line, "exited(status, 0)", "poke \"%s\"... runs: wait status %d",
                       n ? pokes[0].op : "", status);
    char *rest = output;
    for (size_t i = 0; i < n && status >= 0; i++) {
        bool last = *rest == '\0';
        char *got = cut_lines(&rest, lines_in(pokes[i].want));
        good &= tap_ok(!last && strcmp(got, pokes[i].want) == 0, file, line, pokes[i].op, "got \"%s\", want \"%s\"",
                       last ? "(nothing)" : got, pokes[i].want);
    }
    return good;
}
/* Runs poke, from the host's tree or at `program` inside, and checks every line of it. */
#define expect(runner, ...) expect_at((runner), poke_path(), __VA_ARGS__)
#define expect_at(runner, program, ...)                                                                          \
    poke_expect((runner), (program), (struct poke[]){__VA_ARGS__}, COUNT(((struct poke[]){__VA_ARGS__})), __FILE__, \
                __LINE__)

/* A runner for poke with ops whose output nobody reads, or reads by run_output(). */
#define poke(...) tap_guest_(poke_path(), NULL, __VA_ARGS__, (const char *)NULL)

/* Kills and reaps. */
TAP_HELPER int end_of(pid_t pid) {
    if (pid <= 0)
        return -1;
    kill(pid, SIGKILL);
    return child_status(pid);
}

/* The value of a line of /proc/PID/status, its blanks made one space; "" where there is none. */
TAP_HELPER const char *status_line(pid_t pid, const char *name) {
    static _Thread_local char value[1024];
    char path[64], text[16384];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    value[0] = '\0';
    if (read_file(path, text, sizeof text) < 0)
        return value;
    for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        size_t len = strlen(name);
        if (strncmp(line, name, len) != 0 || line[len] != ':')
            continue;
        char *inner, *word = strtok_r(line + len + 1, " \t", &inner);
        for (int i = 0; word; i++, word = strtok_r(NULL, " \t", &inner))
            snprintf(value + strlen(value), sizeof value - strlen(value), "%s%s", i ? " " : "", word);
        break;
    }
    return value;
}

/* Where a link of /proc leads: /proc/PID/WHAT. "" where it cannot be read. */
TAP_HELPER const char *proc_link(pid_t pid, const char *what) {
    static _Thread_local char targets[4][PATH_MAX];
    static _Thread_local unsigned next;
    char path[128], *target = targets[next++ % COUNT(targets)];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, what);
    ssize_t n = readlink(path, target, PATH_MAX - 1);
    target[n < 0 ? 0 : n] = '\0';
    return target;
}

/* A file of /proc/PID, its last '\n' taken off; "" where it cannot be read. */
TAP_HELPER const char *proc_text(pid_t pid, const char *what) {
    static _Thread_local char text[1 << 16];
    char path[128];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, what);
    ssize_t n = read_file(path, text, sizeof text);
    if (n > 0 && text[n - 1] == '\n')
        text[n - 1] = '\0';
    return text;
}

/* ------------------------------------------------------------------ a place for files */

TAP_HELPER int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where) {
    (void)st, (void)type, (void)where;
    return remove(path);
}

/* A new directory of the host, mode 0755. Valid until the next call in this thread. */
TAP_HELPER const char *scratch_dir(void) {
    static _Thread_local char path[64];
    snprintf(path, sizeof path, "/tmp/runner-test-XXXXXX");
    if (mkdtemp(path) == NULL || chmod(path, 0755) != 0) {
        printf("Bail out! no directory in /tmp\n");
        exit(1);
    }
    return path;
}

TAP_HELPER void remove_dir(const char *path) {
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* `dir`/`name`; the result is valid for 8 more calls. */
TAP_HELPER const char *join(const char *dir, const char *name) {
    static _Thread_local char paths[8][PATH_MAX];
    static _Thread_local unsigned next;
    char *path = paths[next++ % COUNT(paths)];
    snprintf(path, PATH_MAX, "%s/%s", dir, name);
    return path;
}

/* A file with a text and a mode, whatever the umask. */
TAP_HELPER bool put_file(const char *path, const char *text, mode_t mode) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

/* Copies a file, with a mode. */
TAP_HELPER bool copy_file(const char *from, const char *to, mode_t mode) {
    char buf[65536];
    ssize_t n = -1;
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    while (in >= 0 && out >= 0 && (n = read(in, buf, sizeof buf)) > 0)
        if (write(out, buf, (size_t)n) != n)
            break;
    bool good = n == 0 && fchmod(out, mode) == 0;
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return good;
}

TAP_HELPER bool exists(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

#endif
