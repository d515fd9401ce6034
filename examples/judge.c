/* A small judge on librunner: runs submissions against tests, each run in full isolation, and prints their verdicts.
 *
 *   judge [-v] PROBLEMS
 *
 * PROBLEMS/NAME holds problem.txt, expected, tests/N.in, tests/N.out and submissions/FILE.
 *
 * Submissions come as sources: .c, .cpp, .sh, .py. Compilers run in the sandbox too, since a source file is as untrusted
 * as its program. A submission whose name begins with "attack-" solves nothing: it tries to get at the host and
 * prints a line for each try, "refused: ..." or "GOT: ..."; its verdict is BLOCKED where it, and the judge's own look at
 * the bait (judge/bait.h), found nothing taken, else ESCAPED. `expected` holds the verdict of each submission, or
 * several with | between them; the exit status is 0 where all came out so.
 *
 *   judge/sandbox.h      what a program may see and do
 *   judge/supervise.h    one run: start, watch, kill, figures
 *   judge/cgroup.h       cgroups v1 and v2
 */
#define _GNU_SOURCE /* namespaces, memfd_create, ppoll */
#include <dirent.h>
#include <ftw.h>
#include <sys/mman.h>

#include "judge/bait.h"
#include "judge/cgroup.h"
#include "judge/sandbox.h"
#include "judge/supervise.h"
#include "runner.h"

enum verdict { OK, WRONG, TIME, WALL, MEMORY, PROCESSES, OUTPUT, CRASH, EXIT, COMPILE, BLOCKED, ESCAPED, SKIPPED, FAILED };
static const char *const VERDICTS[] = {"OK",      "WRONG",   "TIME",    "WALL",    "MEMORY", "PROCESSES", "OUTPUT", "CRASH",
                                       "EXIT",    "COMPILE", "BLOCKED", "ESCAPED", "skipped", "FAILED"};

struct language {
    const char *suffix, *name;
    const char *tools[4]; /* the compiler or interpreter: the first that exists */
    const char *option;   /* of the compiler; NULL: a script */
};
static const struct language LANGUAGES[] = {
    {".c", "C", {"/usr/bin/cc", "/usr/bin/gcc", "/usr/bin/clang"}, "-std=gnu11"},
    {".cpp", "C++", {"/usr/bin/c++", "/usr/bin/g++", "/usr/bin/clang++"}, "-std=gnu++17"},
    {".sh", "shell", {"/bin/sh"}, NULL},
    {".py", "Python", {"/usr/bin/python3", "/usr/local/bin/python3"}, NULL},
};
enum { LANGUAGE_COUNT = sizeof LANGUAGES / sizeof *LANGUAGES };

struct problem {
    char name[256], dir[PATH_MAX];
    struct limits limits;
};

struct submission {
    char file[256], path[PATH_MAX];
    const struct language *language;
    const char *tool;
    bool attack;
};

/* The worst of its tests, as far as they were run. */
struct result {
    enum verdict verdict;
    int64_t wall_ns, cpu_ns;
    uint64_t memory;
    const char *memory_from;
    char note[512];
};

struct judge {
    struct sandbox sandbox;
    struct bait bait;
    char work[PATH_MAX]; /* everything of ours on the disk */
    bool verbose;
    int verdicts, as_expected;
};

static const char PATH_ENV[] = "PATH=/usr/local/bin:/usr/bin:/bin";
static const struct limits COMPILE_LIMITS = {.cpu_ns = 20000000000, .wall_ns = 30000000000, .memory = 1ull << 30,
                                             .output = 64 << 20, .scratch = 64 << 20, .processes = 64};

/* ---- files --------------------------------------------------------------------------------------------------- */

static bool join(char path[PATH_MAX], const char *dir, const char *name)
{
    return snprintf(path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX;
}

/* The whole of an fd from its start, NUL-terminated; NULL: no memory, or it cannot be read. */
static char *read_all(int fd, size_t *length)
{
    struct stat file;
    if (fstat(fd, &file) != 0)
        return NULL;
    char *text = malloc((size_t)file.st_size + 1);
    ssize_t n = text ? pread(fd, text, (size_t)file.st_size, 0) : -1;
    if (n < 0) {
        free(text);
        return NULL;
    }
    text[n] = 0;
    *length = (size_t)n;
    return text;
}

static char *read_file(const char *path)
{
    size_t length;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = fd >= 0 ? read_all(fd, &length) : NULL;
    if (fd >= 0)
        close(fd);
    return text;
}

static bool write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, text, length);
        if (n <= 0)
            return false;
        text += n;
        length -= (size_t)n;
    }
    return true;
}

static bool copy_file(const char *from, const char *to)
{
    char *text = read_file(from);
    int fd = text ? open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644) : -1;
    bool copied = fd >= 0 && write_all(fd, text, strlen(text)) && fchmod(fd, 0644) == 0;
    if (fd >= 0)
        close(fd);
    free(text);
    return copied;
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *where)
{
    (void)stat, (void)type, (void)where;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Names in a directory, sorted; the caller frees them by free_names(). */
static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int list(const char *parent, const char *name, struct dirent ***names)
{
    char path[PATH_MAX];
    int n = join(path, parent, name) ? scandir(path, names, not_hidden, alphasort) : -1;
    if (n < 0)
        *names = NULL;
    return n < 0 ? 0 : n;
}

static void free_names(struct dirent **names, int n)
{
    while (n-- > 0)
        free(names[n]);
    free(names);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

/* ---- the program's files --------------------------------------------------------------------------------------- */

/* Input is a sealed memory file: seekable, and no program can change it for the next one, also not one that opens it
 * anew through /proc/self/fd with the judge's own user id. */
static int input_file(const char *path)
{
    int fd = memfd_create("input", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    char *text = path ? read_file(path) : strdup("");
    bool good = fd >= 0 && text && write_all(fd, text, strlen(text)) && lseek(fd, 0, SEEK_SET) == 0 &&
                fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0;
    free(text);
    if (!good && fd >= 0)
        close(fd);
    return good ? fd : -1;
}

/* Output goes into memory files as well: RLIMIT_FSIZE bounds them, the run's cgroup pays for them, and nobody has to
 * read while the program writes. */
static bool open_files(int files[3], const char *input)
{
    files[0] = input_file(input);
    files[1] = memfd_create("output", MFD_CLOEXEC);
    files[2] = memfd_create("errors", MFD_CLOEXEC);
    return files[0] >= 0 && files[1] >= 0 && files[2] >= 0;
}

static void close_files(int files[3])
{
    for (int i = 0; i < 3; i++)
        if (files[i] >= 0)
            close(files[i]);
}

/* ---- verdicts -------------------------------------------------------------------------------------------------- */

/* Equal word by word: white space does not count. */
static bool same_words(const char *a, const char *b)
{
    static const char space[] = " \t\r\n";
    for (;;) {
        a += strspn(a, space);
        b += strspn(b, space);
        size_t n = strcspn(a, space);
        if (n != strcspn(b, space) || strncmp(a, b, n) != 0)
            return false;
        if (n == 0)
            return true;
        a += n;
        b += n;
    }
}

/* An attacker's report: at least one try, none of them successful, and the last line says that it got to its end. */
static enum verdict attack_verdict(const char *report, const struct bait *bait, char *note, size_t size)
{
    const char *taken = bait_taken(bait), *got = strstr(report, "GOT: ");
    if (taken || got) {
        snprintf(note, size, "%s", taken ? taken : got);
        note[strcspn(note, "\n")] = 0;
        return ESCAPED;
    }
    return strstr(report, "refused: ") && ends_with(report, "done\n") ? BLOCKED : WRONG;
}

/* What ended the run, the surest evidence first. OK: it ended by itself, well. */
static enum verdict ending(const struct outcome *outcome, bool output_full, char *note, size_t size)
{
    bool failed = outcome->status != 0 || outcome->cpu_exceeded || outcome->wall_exceeded;
    if (outcome->memory_exceeded)
        return MEMORY;
    if (outcome->processes_refused && failed)
        return PROCESSES;
    if (output_full)
        return OUTPUT;
    if (outcome->cpu_exceeded)
        return TIME;
    if (outcome->wall_exceeded)
        return WALL;
    if (WIFSIGNALED(outcome->status)) {
        snprintf(note, size, "signal %d, %s", WTERMSIG(outcome->status), strsignal(WTERMSIG(outcome->status)));
        return CRASH;
    }
    if (outcome->status != 0)
        snprintf(note, size, "exit code %d", WEXITSTATUS(outcome->status));
    return outcome->status != 0 ? EXIT : OK;
}

static void keep_worst(struct result *result, const struct outcome *outcome)
{
    if (outcome->wall_ns > result->wall_ns)
        result->wall_ns = outcome->wall_ns;
    if (outcome->cpu_ns > result->cpu_ns)
        result->cpu_ns = outcome->cpu_ns;
    if (outcome->memory >= result->memory) {
        result->memory = outcome->memory;
        result->memory_from = outcome->memory_from;
    }
}

/* ---- runs ------------------------------------------------------------------------------------------------------ */

/* Runs with these files and leaves the end in `result`. False: the sandbox itself failed, which `result` says too. */
static bool run_in_sandbox(const struct judge *judge, const struct run *run, struct result *result)
{
    struct outcome outcome;
    runner_error_t error = RUNNER_ERROR_INIT;
    int code = supervise(&judge->sandbox, run, &outcome, &error);
    if (code < 0) {
        result->verdict = FAILED;
        if (error.stage)
            runner_error_format(&error, result->note, sizeof result->note);
        else
            snprintf(result->note, sizeof result->note, "before the start: %s", strerror(-code));
        return false;
    }
    struct stat out;
    bool full = fstat(run->files[1], &out) == 0 && (uint64_t)out.st_size >= run->limits.output;
    keep_worst(result, &outcome);
    result->verdict = ending(&outcome, full, result->note, sizeof result->note);
    return true;
}

/* The first line of what a compiler or a program complained about. */
static void note_errors(int fd, struct result *result)
{
    size_t length;
    char *text = read_all(fd, &length);
    if (text && length > 0)
        snprintf(result->note, sizeof result->note, "%.*s", (int)strcspn(text, "\n"), text);
    free(text);
}

/* Makes /box/program from the source. Only now is the box writable, and it belongs to whoever the compiler runs as. */
static void compile(const struct judge *judge, const struct submission *submission, const char *box,
                    struct result *result)
{
    char source[PATH_MAX];
    snprintf(source, sizeof source, "/box/%s", submission->file);
    const char *const argv[] = {submission->tool, "-O2",    submission->language->option, "-o", "/box/program",
                                source,           NULL};
    const char *const env[] = {PATH_ENV, "TMPDIR=/tmp", NULL};
    struct run run = {.argv = argv, .env = env, .box = box, .box_writable = true, .limits = COMPILE_LIMITS};
    struct result compiled = {.verdict = FAILED};
    if (open_files(run.files, NULL) && run_in_sandbox(judge, &run, &compiled) && compiled.verdict != OK)
        note_errors(run.files[2], &compiled);
    close_files(run.files);
    if (compiled.verdict != OK) {
        result->verdict = compiled.verdict == FAILED ? FAILED : COMPILE;
        strcpy(result->note, compiled.note);
    }
}

static enum verdict check_output(const struct judge *judge, const struct submission *submission, int output,
                                 const char *answer, struct result *result)
{
    size_t length;
    char *text = read_all(output, &length), *expected = read_file(answer);
    enum verdict verdict = FAILED;
    if (text && expected && submission->attack)
        verdict = attack_verdict(text, &judge->bait, result->note, sizeof result->note);
    else if (text && expected)
        verdict = same_words(text, expected) ? OK : WRONG;
    if (text && submission->attack && judge->verbose)
        printf("    %s reports\n%s", submission->file, text);
    free(text);
    free(expected);
    return verdict;
}

static void run_test(struct judge *judge, const struct problem *problem, const struct submission *submission,
                     const char *box, const char *input, struct result *result)
{
    char program[PATH_MAX], answer[PATH_MAX];
    snprintf(program, sizeof program, "/box/%s", submission->language->option ? "program" : submission->file);
    snprintf(answer, sizeof answer, "%.*s.out", (int)(strlen(input) - 3), input);
    const char *const script[] = {submission->tool, program, NULL}, *const plain_env[] = {PATH_ENV, NULL};
    const char *const *argv = submission->language->option ? script + 1 : script;

    struct run run = {.argv = argv, .env = plain_env, .box = box, .limits = problem->limits};
    if (submission->attack)
        run.env = bait_env(&judge->bait, PATH_ENV, answer);
    int leaked = open(answer, O_RDONLY); /* bait too: not close-on-exec, as a host forgets it */
    if (!open_files(run.files, input)) {
        result->verdict = FAILED;
        snprintf(result->note, sizeof result->note, "%.256s: %s", input, strerror(errno));
    } else if (run_in_sandbox(judge, &run, result) && result->verdict == OK) {
        result->verdict = check_output(judge, submission, run.files[1], answer, result);
    } else if (result->verdict == EXIT) {
        note_errors(run.files[2], result);
    }
    close_files(run.files);
    close(leaked);
}

/* Test after test until one goes wrong. */
static void run_tests(struct judge *judge, const struct problem *problem, const struct submission *submission,
                      const char *box, struct result *result)
{
    struct dirent **tests;
    int n = list(problem->dir, "tests", &tests);
    if (n == 0)
        result->verdict = FAILED;
    for (int i = 0; i < n && (result->verdict == OK || result->verdict == BLOCKED) && !interrupted; i++) {
        char input[PATH_MAX];
        if (ends_with(tests[i]->d_name, ".in") &&
            snprintf(input, sizeof input, "%.3000s/tests/%s", problem->dir, tests[i]->d_name) > 0)
            run_test(judge, problem, submission, box, input, result);
    }
    free_names(tests, n);
}

/* The box is a directory of its own for each submission: its source, and what the compiler makes of it. */
static void judge_submission(struct judge *judge, const struct problem *problem, const struct submission *submission,
                             struct result *result)
{
    char box[PATH_MAX], source[PATH_MAX];
    if (!submission->tool) {
        result->verdict = SKIPPED;
        snprintf(result->note, sizeof result->note, "no %s here", submission->language->tools[0]);
        return;
    }
    bool made = join(box, judge->work, "box") && mkdir(box, 0755) == 0 && join(source, box, submission->file) &&
                copy_file(submission->path, source) && chmod(box, 0755) == 0 &&
                (geteuid() != 0 || chown(box, OUTSIDE_ID, OUTSIDE_ID) == 0);
    if (!made) {
        result->verdict = FAILED;
        snprintf(result->note, sizeof result->note, "%.256s: %s", box, strerror(errno));
    } else if (submission->language->option) {
        compile(judge, submission, box, result);
    }
    if (result->verdict == OK)
        run_tests(judge, problem, submission, box, result);
    remove_tree(box);
}

/* ---- problems -------------------------------------------------------------------------------------------------- */

static bool find_language(struct submission *submission)
{
    for (int i = 0; i < LANGUAGE_COUNT; i++) {
        if (!ends_with(submission->file, LANGUAGES[i].suffix))
            continue;
        submission->language = &LANGUAGES[i];
        for (int j = 0; j < 4 && LANGUAGES[i].tools[j] && !submission->tool; j++)
            if (access(LANGUAGES[i].tools[j], X_OK) == 0)
                submission->tool = LANGUAGES[i].tools[j];
        return true;
    }
    return false;
}

/* The line of `expected` for this file, as "OK" or "TIME|MEMORY"; "?" where there is none. */
static void find_expected(const struct problem *problem, const char *file, char verdicts[64])
{
    char path[PATH_MAX], line[512], name[256], value[64];
    strcpy(verdicts, "?");
    FILE *stream = join(path, problem->dir, "expected") ? fopen(path, "re") : NULL;
    while (stream && fgets(line, sizeof line, stream))
        if (line[0] != '#' && sscanf(line, "%255s %63s", name, value) == 2 && strcmp(name, file) == 0)
            strcpy(verdicts, value);
    if (stream)
        fclose(stream);
}

static bool one_of(const char *verdict, const char *verdicts)
{
    size_t n = strlen(verdict);
    for (const char *at = verdicts; *at; at += at[0] == '|') {
        size_t m = strcspn(at, "|");
        if (n == m && strncmp(at, verdict, n) == 0)
            return true;
        at += m;
    }
    return false;
}

static void print_row(struct judge *judge, const struct problem *problem, const struct submission *submission,
                      const struct result *result)
{
    char expected[64];
    const char *verdict = VERDICTS[result->verdict];
    find_expected(problem, submission->file, expected);
    bool good = result->verdict == SKIPPED || one_of(verdict, expected);
    printf("%-9s %-20s %-7s %-10s %7.0f %7.0f %8.1f %-8s %-3s %s%s%s\n", problem->name, submission->file,
           submission->language->name, verdict, (double)result->wall_ns / 1e6, (double)result->cpu_ns / 1e6,
           (double)result->memory / 1048576, result->memory_from ? result->memory_from : "-", good ? "yes" : "NO",
           good ? "" : expected, !good && *result->note ? ": " : "", result->note);
    fflush(stdout);
    judge->verdicts += result->verdict != SKIPPED;
    judge->as_expected += result->verdict != SKIPPED && good;
}

/* problem.txt: lines of "key: number", then a blank line and the text for people. */
static bool load_problem(struct problem *problem, const char *dir, const char *name)
{
    char path[PATH_MAX], line[256], key[32];
    long value;
    snprintf(problem->name, sizeof problem->name, "%s", name);
    FILE *stream = join(problem->dir, dir, name) && join(path, problem->dir, "problem.txt") ? fopen(path, "re") : NULL;
    if (!stream)
        return false;
    struct limits *limits = &problem->limits;
    while (fgets(line, sizeof line, stream) && sscanf(line, "%31[a-z_]: %ld", key, &value) == 2) {
        if (strcmp(key, "cpu_ms") == 0)
            limits->cpu_ns = value * 1000000;
        else if (strcmp(key, "wall_ms") == 0)
            limits->wall_ns = value * 1000000;
        else if (strcmp(key, "memory_mb") == 0)
            limits->memory = (uint64_t)value << 20;
        else if (strcmp(key, "output_kb") == 0)
            limits->output = (uint64_t)value << 10;
        else if (strcmp(key, "scratch_mb") == 0)
            limits->scratch = (uint64_t)value << 20;
        else if (strcmp(key, "processes") == 0)
            limits->processes = (unsigned)value;
    }
    fclose(stream);
    return limits->cpu_ns && limits->wall_ns && limits->memory && limits->output && limits->scratch &&
           limits->processes;
}

static void judge_problem(struct judge *judge, const char *dir, const char *name)
{
    struct problem problem = {0};
    struct dirent **files;
    if (!load_problem(&problem, dir, name)) {
        printf("%s/%s: problem.txt is missing, or a limit in it\n", dir, name);
        judge->verdicts++; /* and none as expected */
        return;
    }
    int n = list(problem.dir, "submissions", &files);
    for (int i = 0; i < n && !interrupted; i++) {
        struct submission submission = {.attack = strncmp(files[i]->d_name, "attack-", 7) == 0};
        struct result result = {0};
        snprintf(submission.file, sizeof submission.file, "%s", files[i]->d_name);
        snprintf(submission.path, sizeof submission.path, "%.3000s/submissions/%s", problem.dir, files[i]->d_name);
        if (!find_language(&submission))
            continue;
        judge_submission(judge, &problem, &submission, &result);
        print_row(judge, &problem, &submission, &result);
    }
    free_names(files, n);
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

static void print_isolation(const struct sandbox *s)
{
    bool root = geteuid() == 0;
    printf("isolation, as %s on Linux %u.%u\n", root ? "root" : "an ordinary user", s->probe.kernel >> 16,
           s->probe.kernel & 0xffff);
    printf("  namespaces   %spid, mount, network, ipc, uts, cgroup\n", s->user_namespace ? "user, " : "");
    if (s->user_namespace)
        printf("  user         %d inside is %d outside\n", INSIDE_ID, root ? OUTSIDE_ID : (int)geteuid());
    else
        printf("  user         %d (no user namespace here)\n", OUTSIDE_ID);
    printf("  root         a read-only tmpfs: /usr read-only, /dev minimal, /tmp limited, %s\n",
           s->with_proc ? "/proc with its own processes only" : "no /proc, because this machine refuses a new one");
    printf("  privileges   no capabilities, no_new_privs, a seccomp filter of %d instructions\n", FILTER_LENGTH);
    if (s->cgroups.version)
        printf("  limits       memory, processes and CPU time of the whole run by cgroup v%d; rlimits\n",
               s->cgroups.version);
    else
        printf("  limits       rlimits only, for each process: %s\n"
               "               so memory is the peak of the largest process, and CPU time that of the first one\n",
               s->cgroups.reason);
}

static void print_missing(void)
{
    for (int i = 0; i < LANGUAGE_COUNT; i++) {
        struct submission probe = {0};
        snprintf(probe.file, sizeof probe.file, "x%s", LANGUAGES[i].suffix);
        if (find_language(&probe) && !probe.tool)
            printf("  missing      %s: %s submissions are skipped\n", LANGUAGES[i].tools[0], LANGUAGES[i].name);
    }
}

/* One run of nothing, before any verdict: what the sandbox cannot do here comes out as one clear error. The one thing
 * that can be done without is /proc, which the kernel refuses inside many containers. */
static bool try_sandbox(struct judge *judge, char *why, size_t size)
{
    const char *const argv[] = {"/bin/sh", "-c", "exit 0", NULL}, *const env[] = {NULL};
    struct run run = {.argv = argv, .env = env, .box = judge->work, .limits = COMPILE_LIMITS};
    for (;;) {
        struct result result = {.verdict = FAILED};
        if (open_files(run.files, NULL))
            run_in_sandbox(judge, &run, &result);
        close_files(run.files);
        bool proc = result.verdict == FAILED && strstr(result.note, "proc") && judge->sandbox.with_proc;
        if (!proc) {
            snprintf(why, size, "%s %s", VERDICTS[result.verdict], result.note);
            return result.verdict == OK;
        }
        judge->sandbox.with_proc = false;
    }
}

static void judge_all(struct judge *judge, const char *dir)
{
    struct dirent **names;
    int n = list(dir, ".", &names);
    printf("\n%-9s %-20s %-7s %-10s %7s %7s %8s %-8s %s\n", "problem", "submission", "lang", "verdict", "wall ms", "cpu ms",
           "MiB", "by", "as expected?");
    for (int i = 0; i < n && !interrupted; i++)
        judge_problem(judge, dir, names[i]->d_name);
    free_names(names, n);
    printf("\n%d verdicts, %d as expected%s\n", judge->verdicts, judge->as_expected, interrupted ? ", interrupted" : "");
}

static void on_signal(int signal)
{
    (void)signal;
    interrupted = 1;
}

static bool make_work_dir(char work[PATH_MAX])
{
    const char *tmp = getenv("TMPDIR");
    /* 0711: whoever a submission runs as has to get through it to the box, and must not see what else is there. */
    return snprintf(work, PATH_MAX, "%s/judge-XXXXXX", tmp && *tmp ? tmp : "/tmp") < PATH_MAX && mkdtemp(work) &&
           chmod(work, 0711) == 0;
}

int main(int argc, char **argv)
{
    static struct judge judge;
    judge.verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
    if (argc != 2 + judge.verbose) {
        fprintf(stderr, "usage: %s [-v] PROBLEMS\n", argv[0]);
        return 2;
    }
    struct sigaction action = {.sa_handler = on_signal};
    for (int i = 0; i < 4; i++)
        sigaction((const int[]){SIGINT, SIGTERM, SIGHUP, SIGPIPE}[i], &action, NULL);
    if (!make_work_dir(judge.work)) {
        perror("work directory");
        return 2;
    }

    char why[600] = "";
    bool good = sandbox_open(&judge.sandbox, judge.work);
    if (!good)
        printf("no isolation can be had here:\n%s\n", judge.sandbox.probe.blocker);
    else if (!(good = bait_open(&judge.bait, judge.work) && try_sandbox(&judge, why, sizeof why)))
        printf("the sandbox does not work here: %s\n", why);
    if (good) {
        print_isolation(&judge.sandbox);
        print_missing();
        judge_all(&judge, argv[argc - 1]);
    }
    bait_close(&judge.bait);
    cgroups_close(&judge.sandbox.cgroups);
    remove_tree(judge.work);
    if (!good)
        return 2;
    return judge.verdicts > 0 && judge.as_expected == judge.verdicts && !interrupted ? 0 : 1;
}
