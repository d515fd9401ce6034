/* Compiles a C program and runs it: a source file is as untrusted as its program, so both happen in a sandbox.
 *
 *   compile FILE.c INPUT
 *
 * Prints what the program prints to stdout, and all else to stderr: the compiler's diagnostics, verdicts and figures.
 * The exit status is 0 where it came to a good end, 1 where not, 77 without a compiler or isolation.
 *
 * Nothing of it touches the disk. The compiler reads the source from its fd 0 and works in a small tmpfs, and the
 * program leaves that sandbox through one more fd, into a memory file of this process. (A directory of the host,
 * bound writable, would be limited in the size of each file, but not in their number.) The second, stricter sandbox
 * executes that fd; there is no path to it.
 */
#define _GNU_SOURCE /* memfd_create, and the namespaces of sandbox.h */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "judge/sandbox.h"
#include "runner.h"

enum { DIAGNOSTICS = 16 << 10 };

/* The output limit is also that of any file: of the program that is made. */
static const struct limits COMPILE_LIMITS = {.cpu_ns = 10000000000, .wall_ns = 20000000000, .memory = 256 << 20,
                                             .output = 16 << 20, .scratch = 64 << 20, .processes = 16};
static const struct limits RUN_LIMITS = {.cpu_ns = 1000000000, .wall_ns = 3000000000, .memory = 64 << 20,
                                         .output = 1 << 20, .scratch = 1 << 20, .processes = 1};

static const char *find_compiler(void)
{
    static const char *const compilers[] = {"/usr/bin/cc", "/usr/bin/gcc", "/usr/bin/clang"};
    for (size_t i = 0; i < sizeof compilers / sizeof *compilers; i++)
        if (access(compilers[i], X_OK) == 0)
            return compilers[i];
    return NULL;
}

/* Linux 6.3 wants to hear that it will be executed; before that it knows no such flag. */
static int memory_file(void)
{
#ifdef MFD_EXEC
    int fd = memfd_create("program", MFD_CLOEXEC | MFD_EXEC);
    if (fd >= 0 || errno != EINVAL)
        return fd;
#endif
    return memfd_create("program", MFD_CLOEXEC);
}

/* Whatever an untrusted program writes to a terminal may be commands to it; bytes above 127 are letters of UTF-8. */
static void print_untrusted(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool control = ((unsigned char)text[i] < ' ' && text[i] != '\n' && text[i] != '\t') || text[i] == 127;
        fputc(control ? '?' : text[i], stderr);
    }
}

static void print_figures(const char *what, const runner_result_t *r)
{
    fprintf(stderr, "%s: %s, decided by: %s", what, runner_verdict_name(r->verdict),
            runner_evidence_name(r->evidence));
    if (r->verdict == RUNNER_VERDICT_FINISHED)
        fprintf(stderr, " %d", r->exit_code);
    if (r->verdict == RUNNER_VERDICT_SIGNALLED)
        fprintf(stderr, " %d", r->signal);
    fprintf(stderr, "; %.1f ms of CPU (%s), %.1f MiB (%s), %.1f ms in all\n", (double)r->cpu_ns / 1e6,
            runner_source_name(r->cpu_source), (double)r->memory_peak / 1048576, runner_source_name(r->memory_source),
            (double)r->wall_ns / 1e6);
}

static void print_captured(const runner_process_t *process, const runner_result_t *r)
{
    const void *data;
    size_t length;
    runner_process_output(process, STDOUT_FILENO, &data, &length);
    fwrite(data, 1, length, stdout);
    fflush(stdout);
    runner_process_output(process, STDERR_FILENO, &data, &length);
    print_untrusted(data, length);
    if (r->output_fd == STDERR_FILENO)
        fprintf(stderr, "\n[more than %d KiB of complaints: the rest was dropped]\n", DIAGNOSTICS >> 10);
}

/* Runs to the end, with these as its files, but for 1 and 2, which are captured. */
static runner_result_t run_to_end(runner_t *runner, const char *what, const int *files, size_t count)
{
    runner_error_t error = RUNNER_ERROR_INIT;
    runner_result_t r = RUNNER_RESULT_INIT;
    r.verdict = RUNNER_VERDICT_LAUNCH_ERROR;
    runner_set_files(runner, files, count);
    runner_capture_head(runner, STDERR_FILENO, DIAGNOSTICS); /* to complain a lot is no crime */
    runner_process_t *process = runner_spawn(runner, &error);
    runner_free(runner);
    if (!process) {
        fprintf(stderr, "%s: %s: %s\n", what, runner_stage_name(error.stage), error.message);
        return r;
    }
    runner_process_wait(process, -1, &r);
    print_captured(process, &r);
    print_figures(what, &r);
    runner_process_free(process);
    return r;
}

static bool came_to_a_good_end(const runner_result_t *r)
{
    return r->verdict == RUNNER_VERDICT_FINISHED && r->exit_code == 0;
}

static runner_t *options(const struct sandbox *sandbox, const char *empty, const char *const *argv,
                         const struct limits *limits)
{
    const char *const env[] = {"PATH=/usr/bin:/bin", "TMPDIR=/tmp", NULL};
    struct run run = {.argv = argv, .env = env, .box = empty, .limits = *limits};
    runner_t *runner = sandbox_runner(sandbox, &run);
    if (!runner) { /* no memory */
        perror("options");
        exit(2);
    }
    return runner;
}

/* The linker wants a file in which it can seek and which it may replace, so the program is copied out at last. */
static bool compile(const struct sandbox *sandbox, const char *empty, const char *compiler, int source, int program)
{
    const char *const argv[] = {"/bin/sh", "-c", "\"$@\" && exec cat /tmp/program >&3", "sh",
                                compiler,  "-O2", "-std=gnu11", "-o", "/tmp/program", "-x", "c", "-", "-lm", NULL};
    runner_t *runner = options(sandbox, empty, argv, &COMPILE_LIMITS);
    runner_result_t r = run_to_end(runner, "compiler", (const int[]){source, -1, -1, program}, 4);
    if (!came_to_a_good_end(&r) && r.verdict != RUNNER_VERDICT_LAUNCH_ERROR)
        fprintf(stderr, "compile_error\n");
    return came_to_a_good_end(&r);
}

static bool run(const struct sandbox *sandbox, const char *empty, int program, int input)
{
    runner_t *runner = options(sandbox, empty, (const char *const[]){"program", NULL}, &RUN_LIMITS);
    runner_set_exec_fd(runner, program);
    runner_result_t r = run_to_end(runner, "program", &input, 1);
    return came_to_a_good_end(&r);
}

/* `empty` is a directory that both sandboxes show as /box, since the judge's sandbox has one. */
static bool compile_and_run(const char *empty, const struct sandbox *sandbox, const char *compiler, int source,
                            int input)
{
    int program = memory_file();
    if (program < 0) {
        perror("memory file");
        return false;
    }
    bool good = compile(sandbox, empty, compiler, source, program) && run(sandbox, empty, program, input);
    close(program);
    return good;
}

/* The exit status. */
static int in_sandbox(const char *empty, const char *compiler, int source, int input)
{
    struct sandbox sandbox;
    int status = 77;
    if (sandbox_open(&sandbox, empty)) {
        sandbox.with_proc = false; /* compilers do without, and so does the program */
        status = compile_and_run(empty, &sandbox, compiler, source, input) ? 0 : 1;
    } else {
        fprintf(stderr, "no isolation can be had here:\n%s\n", sandbox.probe.blocker);
    }
    rmdir(sandbox.root);
    return status;
}

static int open_to_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        perror(path);
    return fd;
}

int main(int argc, char **argv)
{
    char empty[PATH_MAX];
    const char *tmp = getenv("TMPDIR"), *compiler = find_compiler();
    if (argc != 3) {
        fprintf(stderr, "usage: %s FILE.c INPUT\n", argv[0]);
        return 2;
    }
    if (!compiler) {
        fprintf(stderr, "no C compiler here\n");
        return 77;
    }
    snprintf(empty, sizeof empty, "%.3000s/compile-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(empty) || chmod(empty, 0711) != 0) {
        perror(empty);
        return 2;
    }
    int source = open_to_read(argv[1]), input = open_to_read(argv[2]);
    int status = source < 0 || input < 0 ? 2 : in_sandbox(empty, compiler, source, input);
    rmdir(empty);
    return status;
}
