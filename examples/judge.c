/* A small judge on librunner: runs submissions against tests, each run in full isolation, and prints their verdicts.
 *
 *   judge [-v] PROBLEMS
 *
 * PROBLEMS/NAME holds problem.txt, expected, tests/N.in, tests/N.out and submissions/FILE.
 *
 * Submissions come as sources: .c, .cpp, .sh, .py. Compilers run in the sandbox too, since a source file is as
 * untrusted as its program. A submission whose name begins with "attack-" solves nothing: it tries to get at the host
 * and prints a line for each try, "refused: ..." or "GOT: ..."; its verdict is BLOCKED where it, and the judge's own
 * look at the bait, found nothing taken, else ESCAPED. `expected` holds the verdict of each submission, or several with
 * | between them; the exit status is 0 where all came out so.
 *
 * librunner enforces the limits, kills the whole tree, and says what ended a run and how that is known. What is left to
 * the judge is what only a judge can know: what a program may see and do, and whether its answer is right.
 *
 *   judge/sandbox.h      what a program may see, do and use
 *   judge/bait.h         what an attacker would love to reach
 */
#define _GNU_SOURCE /* namespaces, accept4 */
#include <dirent.h>
#include <ftw.h>
#include <inttypes.h>

#include "judge/bait.h"
#include "judge/sandbox.h"
#include "runner.h"

enum verdict {
    FAILED, /* the judge itself has: the default, so that nothing comes out right by accident */
    OK, WRONG, TIME_LIMIT, WALL_LIMIT, MEMORY_LIMIT, PROCESS_LIMIT, OUTPUT_LIMIT, CRASH, FORBIDDEN, EXIT, COMPILE,
    BLOCKED, ESCAPED, SKIPPED
};
static const char *const VERDICTS[] = {
    "FAILED", "OK", "WRONG", "TIME", "WALL", "MEMORY", "PROCESSES", "OUTPUT", "CRASH", "FORBIDDEN", "EXIT", "COMPILE",
    "BLOCKED", "ESCAPED", "skipped",
};

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

struct result {
    enum verdict verdict;
    runner_result_t run; /* of its last run, with the most time and memory that any of its runs took */
    char note[512];
};

struct judge {
    struct sandbox sandbox;
    struct bait bait;
    char work[PATH_MAX]; /* everything of ours on the disk */
    bool verbose;
    int verdicts, as_expected;
};

/* Set by a signal: the run in hand is killed, and the judge cleans up. */
static volatile sig_atomic_t interrupted;

static const char PATH_ENV[] = "PATH=/usr/local/bin:/usr/bin:/bin";
static const struct limits COMPILE_LIMITS = {.cpu_ns = 20000000000, .wall_ns = 30000000000, .memory = 1ull << 30,
                                             .output = 64 << 20, .scratch = 64 << 20, .processes = 64};

/* ---- files --------------------------------------------------------------------------------------------------- */

static bool join(char path[PATH_MAX], const char *dir, const char *name)
{
    return snprintf(path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX;
}

/* A text file, NUL-terminated; NULL: no memory, or it cannot be read. */
static char *read_file(const char *path)
{
    struct stat file;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = fd >= 0 && fstat(fd, &file) == 0 ? malloc((size_t)file.st_size + 1) : NULL;
    ssize_t n = text ? read(fd, text, (size_t)file.st_size) : -1;
    if (fd >= 0)
        close(fd);
    if (n < 0) {
        free(text);
        return NULL;
    }
    text[n] = 0;
    return text;
}

static bool copy_file(const char *from, const char *to)
{
    char *text = read_file(from);
    FILE *stream = text ? fopen(to, "wxe") : NULL;
    bool copied = stream && fputs(text, stream) >= 0;
    copied &= stream && fclose(stream) == 0 && chmod(to, 0644) == 0;
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

/* The library's verdict as a judge puts it. What is not here (the judge killed it itself) is FAILED. */
static enum verdict ending(const runner_result_t *run)
{
    static const enum verdict verdicts[] = {
        [RUNNER_VERDICT_FINISHED] = EXIT,
        [RUNNER_VERDICT_SIGNALLED] = CRASH,
        [RUNNER_VERDICT_TIME_LIMIT] = TIME_LIMIT,
        [RUNNER_VERDICT_WALL_LIMIT] = WALL_LIMIT,
        [RUNNER_VERDICT_MEMORY_LIMIT] = MEMORY_LIMIT,
        [RUNNER_VERDICT_OUTPUT_LIMIT] = OUTPUT_LIMIT,
        [RUNNER_VERDICT_PROCESS_LIMIT] = PROCESS_LIMIT,
        [RUNNER_VERDICT_FORBIDDEN_SYSCALL] = FORBIDDEN,
    };
    if (run->verdict == RUNNER_VERDICT_FINISHED && run->exit_code == 0)
        return OK;
    return run->verdict < sizeof verdicts / sizeof *verdicts ? verdicts[run->verdict] : FAILED;
}

/* How that is known: the program's own first complaint, else the evidence. */
static void note_ending(const runner_process_t *process, const runner_result_t *run, char *note, size_t size)
{
    const void *errors;
    size_t length;
    runner_process_output(process, STDERR_FILENO, &errors, &length);
    if (run->evidence == RUNNER_EVIDENCE_SIGNAL)
        snprintf(note, size, "signal %d, %s", run->signal, strsignal(run->signal));
    else if (run->evidence != RUNNER_EVIDENCE_EXIT_CODE)
        snprintf(note, size, "by %s", runner_evidence_name(run->evidence));
    else if (length > 0)
        snprintf(note, size, "%.*s", (int)length, (const char *)errors);
    else
        snprintf(note, size, "exit code %d", run->exit_code);
    note[strcspn(note, "\n")] = 0;
}

static uint64_t cpu_ns(const runner_result_t *run)
{
    return run->user_ns + run->system_ns;
}

/* The figures of a run that took less than the one before it give way. */
static void keep_most(runner_result_t *run, const runner_result_t *before)
{
    if (before->wall_ns > run->wall_ns)
        run->wall_ns = before->wall_ns;
    if (cpu_ns(before) > cpu_ns(run)) {
        run->user_ns = before->user_ns;
        run->system_ns = before->system_ns;
        run->cpu_source = before->cpu_source;
    }
    if (before->memory_peak > run->memory_peak) {
        run->memory_peak = before->memory_peak;
        run->memory_source = before->memory_source;
    }
}

/* ---- runs ------------------------------------------------------------------------------------------------------ */

/* What was captured, as text, to be freed. A NUL would end it, and hide what follows; no answer has one. */
static char *captured(const runner_process_t *process, int fd)
{
    const void *data;
    size_t length;
    char *text = runner_process_output(process, fd, &data, &length) == 0 ? malloc(length + 1) : NULL;
    for (size_t i = 0; text && i < length; i++)
        text[i] = ((const char *)data)[i] ? ((const char *)data)[i] : '?';
    if (text)
        text[length] = 0;
    return text;
}

/* To the end of the run. Signals do not end the wait, so it looks now and then whether there was one. */
static char *watch(runner_process_t *process, struct result *result)
{
    runner_result_t run = RUNNER_RESULT_INIT;
    while (runner_process_wait(process, 100 * 1000000, &run) == 0)
        if (interrupted)
            runner_process_kill(process);
    keep_most(&run, &result->run);
    result->run = run;
    result->verdict = ending(&run);
    if (result->verdict != OK)
        note_ending(process, &run, result->note, sizeof result->note);
    return captured(process, STDOUT_FILENO);
}

/* Runs to the end, which `result` tells. Returns what was printed, to be freed; NULL: the sandbox itself FAILED. */
static char *run_in_sandbox(const struct judge *judge, const struct run *run, struct result *result)
{
    runner_error_t error = RUNNER_ERROR_INIT;
    result->verdict = FAILED;
    runner_t *runner = sandbox_runner(&judge->sandbox, run);
    if (!runner) {
        snprintf(result->note, sizeof result->note, "the options: %s", strerror(errno));
        return NULL;
    }
    runner_process_t *process = runner_spawn(runner, &error);
    runner_free(runner); /* what runs does not need it */
    if (!process) {
        runner_error_format(&error, result->note, sizeof result->note);
        return NULL;
    }
    char *output = watch(process, result);
    runner_process_free(process);
    return output;
}

/* Makes /box/program from the source. Only now is the box writable, and it belongs to whoever the compiler runs as. */
static bool compile(const struct judge *judge, const struct submission *submission, const char *box,
                    struct result *result)
{
    char source[PATH_MAX];
    snprintf(source, sizeof source, "/box/%s", submission->file);
    const char *const argv[] = {submission->tool, "-O2",    submission->language->option, "-o", "/box/program",
                                source,           NULL};
    const char *const env[] = {PATH_ENV, "TMPDIR=/tmp", NULL};
    struct run run = {.argv = argv, .env = env, .box = box, .box_writable = true, .limits = COMPILE_LIMITS};
    struct result compiled = {0}; /* its figures are not the submission's */
    free(run_in_sandbox(judge, &run, &compiled));
    if (compiled.verdict == OK)
        return true;
    result->verdict = compiled.verdict == FAILED ? FAILED : COMPILE;
    strcpy(result->note, compiled.note);
    return false;
}

static enum verdict check_output(const struct judge *judge, const struct submission *submission, const char *output,
                                 const char *answer, struct result *result)
{
    if (submission->attack && judge->verbose)
        printf("    %s reports\n%s", submission->file, output);
    if (submission->attack)
        return attack_verdict(output, &judge->bait, result->note, sizeof result->note);
    return same_words(output, answer) ? OK : WRONG;
}

static void run_test(struct judge *judge, const struct problem *problem, const struct submission *submission,
                     const char *box, const char *input, struct result *result)
{
    char program[PATH_MAX], answer_path[PATH_MAX];
    snprintf(program, sizeof program, "/box/%s", submission->language->option ? "program" : submission->file);
    snprintf(answer_path, sizeof answer_path, "%.*s.out", (int)(strlen(input) - 3), input);
    const char *const script[] = {submission->tool, program, NULL}, *const plain_env[] = {PATH_ENV, NULL};
    const char *const *argv = submission->language->option ? script + 1 : script;
    const char *const *env = submission->attack ? bait_env(&judge->bait, PATH_ENV, answer_path) : plain_env;
    int leaked = open(answer_path, O_RDONLY); /* bait too: not close-on-exec, as a host forgets it */

    char *text = read_file(input), *answer = read_file(answer_path), *output = NULL;
    struct run run = {.argv = argv, .env = env, .input = text, .box = box, .limits = problem->limits};
    if (text && answer)
        output = run_in_sandbox(judge, &run, result);
    else
        snprintf(result->note, sizeof result->note, "%.256s or its answer: %s", input, strerror(errno));
    if (result->verdict == OK && output)
        result->verdict = check_output(judge, submission, output, answer, result);
    close(leaked);
    free(text);
    free(answer);
    free(output);
}

/* Test after test until one goes wrong. */
static void run_tests(struct judge *judge, const struct problem *problem, const struct submission *submission,
                      const char *box, struct result *result)
{
    struct dirent **tests;
    int n = list(problem->dir, "tests", &tests);
    bool good = true;
    for (int i = 0; i < n && good && !interrupted; i++) {
        char input[PATH_MAX];
        if (!ends_with(tests[i]->d_name, ".in"))
            continue;
        snprintf(input, sizeof input, "%.3000s/tests/%s", problem->dir, tests[i]->d_name);
        result->verdict = FAILED;
        run_test(judge, problem, submission, box, input, result);
        good = result->verdict == OK || result->verdict == BLOCKED;
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
    if (!made)
        snprintf(result->note, sizeof result->note, "%.256s: %s", box, strerror(errno));
    else if (!submission->language->option || compile(judge, submission, box, result))
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

/* A figure is worth as much as its source. */
static void print_figure(double figure, uint32_t source)
{
    if (source == RUNNER_SOURCE_NONE)
        printf(" %8s %-9s", "-", "");
    else
        printf(" %8.1f %-9s", figure, runner_source_name(source));
}

static void print_row(struct judge *judge, const struct problem *problem, const struct submission *submission,
                      const struct result *result)
{
    char expected[64];
    const char *verdict = VERDICTS[result->verdict];
    find_expected(problem, submission->file, expected);
    bool good = result->verdict == SKIPPED || one_of(verdict, expected);
    printf("%-9s %-20s %-7s %-9s %8.1f", problem->name, submission->file, submission->language->name, verdict,
           (double)result->run.wall_ns / 1e6);
    print_figure((double)cpu_ns(&result->run) / 1e6, result->run.cpu_source);
    print_figure((double)result->run.memory_peak / 1048576, result->run.memory_source);
    printf(" %-3s %s%s%s\n", good ? "yes" : "NO", good ? "" : expected, good || !*result->note ? "" : ": ",
           result->note);
    fflush(stdout);
    judge->verdicts += result->verdict != SKIPPED;
    judge->as_expected += result->verdict != SKIPPED && good;
}

/* problem.txt: lines of "key: number", then a blank line and the text for people. */
static bool load_problem(struct problem *problem, const char *dir, const char *name)
{
    char path[PATH_MAX], line[256], key[32];
    uint64_t value;
    snprintf(problem->name, sizeof problem->name, "%s", name);
    FILE *stream = join(problem->dir, dir, name) && join(path, problem->dir, "problem.txt") ? fopen(path, "re") : NULL;
    if (!stream)
        return false;
    struct limits *limits = &problem->limits;
    while (fgets(line, sizeof line, stream) && sscanf(line, "%31[a-z_]: %" SCNu64, key, &value) == 2) {
        if (strcmp(key, "cpu_ms") == 0)
            limits->cpu_ns = value * 1000000;
        else if (strcmp(key, "wall_ms") == 0)
            limits->wall_ns = value * 1000000;
        else if (strcmp(key, "memory_mb") == 0)
            limits->memory = value << 20;
        else if (strcmp(key, "output_kb") == 0)
            limits->output = value << 10;
        else if (strcmp(key, "scratch_mb") == 0)
            limits->scratch = value << 20;
        else if (strcmp(key, "processes") == 0)
            limits->processes = value;
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
        if (!interrupted)
            print_row(judge, &problem, &submission, &result);
    }
    free_names(files, n);
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

/* Where limits and figures come from here, as one run has shown. */
static void print_limits(const runner_result_t *run)
{
    static const struct {
        uint32_t bit;
        const char *stand_in;
    } missing[] = {
        {RUNNER_MISSING_MEMORY, "memory: RLIMIT_AS of each process, and looks at the resident memory of all"},
        {RUNNER_MISSING_PROCESSES, "processes: RLIMIT_NPROC"},
        {RUNNER_MISSING_CPU, "CPU time: looks at the processes"},
    };
    if (!run->missing)
        printf("  limits       of the whole run: memory by %s, CPU time by %s, processes by %s\n",
               runner_source_name(run->memory_source), runner_source_name(run->cpu_source),
               runner_source_name(run->processes_source));
    else
        printf("  limits       not all by cgroups: %s\n", run->reason);
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        if (run->missing & missing[i].bit)
            printf("               instead for %s\n", missing[i].stand_in);
}

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
}

static void print_absent_tools(void)
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
static bool try_sandbox(struct judge *judge, struct result *result)
{
    const char *const argv[] = {"/bin/sh", "-c", "exit 0", NULL}, *const env[] = {NULL};
    struct run run = {.argv = argv, .env = env, .box = judge->work, .limits = COMPILE_LIMITS};
    free(run_in_sandbox(judge, &run, result));
    if (result->verdict == FAILED && strstr(result->note, "proc")) {
        judge->sandbox.with_proc = false;
        free(run_in_sandbox(judge, &run, result));
    }
    return result->verdict == OK;
}

static void judge_all(struct judge *judge, const char *dir)
{
    struct dirent **names;
    int n = list(dir, ".", &names);
    printf("\n%-9s %-20s %-7s %-9s %8s %8s %-9s %8s %-9s %s\n", "problem", "submission", "lang", "verdict", "wall ms",
           "cpu ms", "from", "MiB", "from", "as expected?");
    for (int i = 0; i < n && !interrupted; i++)
        judge_problem(judge, dir, names[i]->d_name);
    free_names(names, n);
    printf("\n%d verdicts, %d as expected%s\n", judge->verdicts, judge->as_expected,
           interrupted ? ", interrupted" : "");
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

    struct result trial = {0};
    bool good = sandbox_open(&judge.sandbox, judge.work);
    if (!good)
        printf("no isolation can be had here:\n%s\n", judge.sandbox.probe.blocker);
    else if (!(good = bait_open(&judge.bait, judge.work) && try_sandbox(&judge, &trial)))
        printf("the sandbox does not work here: %s %s\n", VERDICTS[trial.verdict], trial.note);
    if (good) {
        print_isolation(&judge.sandbox);
        print_limits(&trial.run);
        print_absent_tools();
        judge_all(&judge, argv[argc - 1]);
    }
    bait_close(&judge.bait);
    remove_tree(judge.work);
    if (!good)
        return 2;
    return judge.verdicts > 0 && judge.as_expected == judge.verdicts && !interrupted ? 0 : 1;
}
