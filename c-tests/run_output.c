/* Watched runs: input and output. What a program writes is kept, all of it up to the limit and nothing twice; input of
 * any size blocks nobody; a pipe that somebody holds, closes or never reads keeps no run from its end. */

#define _GNU_SOURCE
#include "tap.h"

#include "run.h"

/* The pattern of load's `write`, so that what is lost, doubled or in the wrong place shows. */
static bool is_pattern(const void *data, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (((const char *)data)[i] != (char)('a' + i % 23))
            return false;
    return true;
}

static const char *output_of(runner_process_t *process, int fd, size_t *length) {
    const void *data = NULL;
    *length = 99;
    ok_int(runner_process_output(process, fd, &data, length), 0, "output of fd %d", fd);
    ok(data != NULL && ((const char *)data)[*length] == '\0', "never NULL, and a NUL behind it");
    return data;
}

/* ------------------------------------------------------------------ how much */

/* Up to the limit and not one byte more, at the sizes where buffers and pipes end. */
static void at_the_limit(void) {
    static const uint64_t limits[] = {0, 1, 4095, 4096, 65535, 65536, 65537, 131072, 1 << 20, (3 << 20) + 1};
    for (size_t i = 0; i < COUNT(limits); i++)
        for (int more = 0; more < 2; more++) {
            char bytes[16];
            size_t length;
            snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)limits[i] + more);
            runner_t *runner = load("write", "1", bytes, "exit", "3");
            ok_int(runner_capture(runner, 1, limits[i]), 0, "capture");
            runner_process_t *process = spawn(runner);
            runner_result_t r = end_of_run(process);
            if (more)
                ok_ended(&r, OUTPUT_LIMIT, CAPTURE, "%s bytes under one less", bytes);
            else
                ok_ended(&r, FINISHED, EXIT_CODE, "%s bytes under as many", bytes);
            ok_int(r.output_cut, more, "cut off");
            ok_int(r.output_fd, more ? 1 : -1, "which fd it was");
            ok_int(r.output_bytes, limits[i], "bytes kept");
            const char *data = output_of(process, 1, &length);
            ok_int(length, limits[i], "bytes given");
            ok(is_pattern(data, length), "they are what was written");
            runner_process_free(process);
            runner_free(runner);
        }
    ok_all_gone();
}

/* It would write for ever; it is ended at once. */
static void endless(void) {
    size_t length;
    runner_t *runner = load("write", "1", "100000000000");
    runner_capture(runner, 1, 100000);
    runner_set_wall_limit(runner, 20000 * MS);
    runner_process_t *process = spawn(runner);
    runner_result_t r = end_of_run(process);
    ok_ended(&r, OUTPUT_LIMIT, CAPTURE, "endless output");
    ok_int(r.signal, SIGKILL, "it is killed");
    ok(r.wall_ns < (uint64_t)(5000 * MS), "soon");
    ok(is_pattern(output_of(process, 1, &length), 100000) && length == 100000, "what was captured is kept");
    runner_process_free(process);
    runner_free(runner);
    ok_all_gone();
}

/* The host does not look for a while: the program waits, and nothing is lost. */
static void slow_host(void) {
    size_t length;
    runner_t *runner = load("write", "1", "300000", "exit", "3");
    runner_capture(runner, 1, 1 << 20);
    runner_process_t *process = spawn(runner);
    sleep_ms(150);
    size_t early;
    runner_process_step(process, NULL);
    output_of(process, 1, &early);
    ok(early > 0, "some of it comes with a step");
    runner_result_t r = end_of_run(process);
    ok_ended(&r, FINISHED, EXIT_CODE, "a slow host");
    ok(is_pattern(output_of(process, 1, &length), 300000) && length == 300000, "all of it: %zu", length);
    runner_process_free(process);
    runner_free(runner);
    ok_all_gone();
}

/* A pipe that the program has made larger than the host reads at once. */
static void large_pipe(void) {
    for (int wait = 0; wait < 2; wait++) {
        static const char *const sizes[] = {"1048576", "33554432"};
        for (size_t i = 0; i < COUNT(sizes); i++) {
            if (i == 1 && !is_root())
                continue; /* above /proc/sys/fs/pipe-max-size */
            size_t length = 0, want = (size_t)atol(sizes[i]) - 4096;
            char bytes[16];
            snprintf(bytes, sizeof bytes, "%zu", want);
            runner_t *runner = load("pipe-size", "1", sizes[i], "write", "1", bytes, "exit", "3");
            runner_capture(runner, 1, 64 << 20);
            runner_process_t *process = spawn(runner);
            if (wait)
                sleep_ms(300);
            runner_result_t r = end_of_run(process);
            ok_ended(&r, FINISHED, EXIT_CODE, "a pipe of %s bytes", sizes[i]);
            if (r.exit_code == 3) {
                const char *data = output_of(process, 1, &length);
                ok(length == want && is_pattern(data, length), "pipe of %s, host waits %d: %zu of %zu bytes, cut %u",
                   sizes[i], wait, length, want, r.output_cut);
            }
            runner_process_free(process);
            runner_free(runner);
        }
    }
    ok_all_gone();
}

static void several_fds(void) {
    size_t length;
    runner_t *runner = load("write", "1", "70000", "write", "2", "30000", "write", "9", "5", "write", "1", "1", "exit",
                            "3");
    runner_capture(runner, 1, 100000);
    runner_capture(runner, 2, 100000);
    runner_capture(runner, 9, 100000);
    runner_capture(runner, 11, 100000);
    runner_process_t *process = spawn(runner);
    runner_result_t r = end_of_run(process);
    ok_ended(&r, FINISHED, EXIT_CODE, "four captures");
    ok_int(r.output_bytes, 100006, "their sum");
    ok(is_pattern(output_of(process, 1, &length), 70000) && length == 70001, "fd 1");
    ok(is_pattern(output_of(process, 2, &length), 30000) && length == 30000, "fd 2");
    ok(is_pattern(output_of(process, 9, &length), 5) && length == 5, "fd 9");
    output_of(process, 11, &length);
    ok_int(length, 0, "fd 11");
    runner_process_free(process);
    runner_free(runner);
    ok_all_gone();
}

/* More of them than the host's own events have room for. */
static void many_fds(void) {
    const char *argv[200] = {load_path(), load_tag()};
    static char fds[40][4], bytes[40][8];
    size_t n = 2, length;
    for (int i = 0; i < 40; i++) {
        snprintf(fds[i], sizeof fds[i], "%d", i + 1);
        snprintf(bytes[i], sizeof bytes[i], "%d", 1000 * (i + 1));
        argv[n++] = "write", argv[n++] = fds[i], argv[n++] = bytes[i];
    }
    argv[n] = NULL;
    runner_t *runner = runner_for(argv);
    for (int i = 0; i < 40; i++)
        ok_int(runner_capture(runner, i + 1, 100000), 0, "capture");
    runner_process_t *process = spawn(runner);
    runner_result_t r = end_of_run(process);
    ok_ended(&r, FINISHED, EXIT_CODE, "forty captures");
    for (int i = 0; i < 40; i++)
        ok(is_pattern(output_of(process, i + 1, &length), 1000 * (size_t)(i + 1)) && length == 1000 * (size_t)(i + 1),
           "fd %d: %zu bytes", i + 1, length);
    runner_process_free(process);
    runner_free(runner);
    ok_all_gone();
}

/* The output limit is for all captures together. */
static void output_limit_of_all(void) {
    for (int more = 0; more < 2; more++) {
        size_t first, second;
        runner_t *runner = load("write", "1", "6000", "write", "2", more ? "4001" : "4000", "exit", "3");
        runner_capture(runner, 1, UINT64_MAX);
        runner_capture(runner, 2, 9000);
        runner_set_output_limit(runner, 10000);
        runner_process_t *process = spawn(runner);
        runner_result_t r = end_of_run(process);
        if (more)
            ok_ended(&r, OUTPUT_LIMIT, CAPTURE, "10001 bytes of two fds under 10000");
        else
            ok_ended(&r, FINISHED, EXIT_CODE, "10000 bytes of two fds under 10000");
        ok_int(r.output_cut, more, "cut off");
        ok_int(r.output_bytes, 10000, "bytes kept");
        ok(is_pattern(output_of(process, 1, &first), 1) && first + (output_of(process, 2, &second), second) == 10000,
           "both together");
        runner_process_free(process);
        runner_free(runner);
    }
    ok_all_gone();
}

/* An output limit without a capture is for files alone; a pipe of the host's own is not its business. */
static void output_limit_alone(void) {
    int ends[2];
    ok_int(pipe2(ends, O_CLOEXEC), 0, "a pipe of the host's");
    runner_t *runner = load("write", "1", "5000", "exit", "3");
    runner_set_files(runner, (int[]){-1, ends[1]}, 2);
    runner_set_output_limit(runner, 1000);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "5000 bytes to a pipe that is not captured");
    ok_int(r.output_bytes, 0, "nothing is kept");
    close(ends[0]), close(ends[1]);
    runner_free(runner);
    ok_all_gone();
}

/* A capture that drops what is too much: the run goes on, and the pipe is drained to its end. */
static void head_only(void) {
    size_t length;
    runner_t *runner = load("write", "2", "3000000", "say", "1", "x", "exit", "3");
    ok_int(runner_capture_head(runner, 2, 1000), 0, "the head of fd 2");
    runner_capture(runner, 1, 1000);
    runner_set_output_limit(runner, 1000);
    runner_process_t *process = spawn(runner);
    runner_result_t r = end_of_run(process);
    ok_ended(&r, FINISHED, EXIT_CODE, "3000000 bytes to a head of 1000");
    ok_int(r.exit_code, 3, "its exit code");
    ok_int(r.output_cut, 1, "some was dropped");
    ok_int(r.output_fd, 2, "of fd 2");
    ok(is_pattern(output_of(process, 2, &length), 1000) && length == 1000, "the head is kept");
    ok(strcmp(output_of(process, 1, &length), "x") == 0, "the other fd too, under the output limit");
    ok_int(r.output_bytes, 1001, "bytes kept");
    runner_process_free(process);
    runner_free(runner);
    /* As many as are kept: nothing is dropped. None at all: everything is. */
    for (int most = 0; most < 2; most++) {
        runner = load("write", "2", "1000", "exit", "3");
        runner_capture_head(runner, 2, most ? 1000 : 0);
        process = spawn(runner);
        r = end_of_run(process);
        ok_ended(&r, FINISHED, EXIT_CODE, "a head of %d", most ? 1000 : 0);
        ok_int(r.output_cut, !most, "whether something was dropped");
        ok_int(r.output_bytes, most ? 1000 : 0, "bytes kept");
        runner_process_free(process);
        runner_free(runner);
    }
    /* Endless diagnostics are ended by other limits. */
    runner = load("write", "2", "100000000000");
    runner_capture_head(runner, 2, 10);
    runner_set_wall_limit(runner, 100 * MS);
    r = run_result(runner);
    ok_ended(&r, WALL_LIMIT, WALL_TIMER, "endless diagnostics");
    /* The later call counts. */
    runner_capture(runner, 2, 10);
    r = run_result(runner);
    ok_ended(&r, OUTPUT_LIMIT, CAPTURE, "the same fd captured with a limit");
    runner_free(runner);
    ok_all_gone();
}

static void replaced(void) {
    size_t length;
    runner_t *runner = load("write", "1", "5000", "exit", "3");
    runner_capture(runner, 1, 10);
    runner_capture(runner, 1, 5000);
    runner_process_t *process = spawn(runner);
    runner_result_t r = end_of_run(process);
    ok_ended(&r, FINISHED, EXIT_CODE, "a second call replaces the limit");
    output_of(process, 1, &length);
    ok_int(length, 5000, "it is kept once");
    ok_int(r.output_bytes, 5000, "it is counted once");
    runner_process_free(process);
    runner_free(runner);
    ok_all_gone();
}

/* In the place of what the files say, which else stay. */
static void beside_files(void) {
    char text[16] = "";
    size_t length;
    int ends[2];
    ok_int(pipe2(ends, O_CLOEXEC), 0, "a pipe of the host's");
    runner_t *runner = load("say", "1", "one", "say", "2", "two");
    runner_set_files(runner, (int[]){-1, ends[1], ends[1]}, 3);
    runner_capture(runner, 1, 100);
    runner_process_t *process = spawn(runner);
    close(ends[1]);
    runner_result_t r = end_of_run(process);
    ok_ended(&r, FINISHED, EXIT_CODE, "one of two");
    const char *data = output_of(process, 1, &length);
    ok(length == 3 && memcmp(data, "one", 3) == 0, "fd 1 is captured");
    ok(read(ends[0], text, sizeof text - 1) == 3 && strcmp(text, "two") == 0, "fd 2 is the host's: %s", text);
    runner_process_free(process);
    close(ends[0]);
    /* No files at all, but for the captured one. */
    runner_set_files(runner, NULL, 0);
    process = spawn(runner);
    r = end_of_run(process);
    ok_int(r.exit_code, 13, "there is no fd 2");
    data = output_of(process, 1, &length);
    ok(length == 3 && memcmp(data, "one", 3) == 0, "fd 1 is captured");
    runner_process_free(process);
    runner_free(runner);
    ok_all_gone();
}

/* The program sees pipes and nothing else: not the host's ends. */
static void what_the_program_has(void) {
    char text[4096];
    size_t length;
    runner_t *runner = guest("fds");
    runner_capture(runner, 1, sizeof text);
    runner_capture(runner, 5, 100);
    runner_set_stdin_bytes(runner, "abc", 3);
    runner_process_t *process = spawn(runner);
    runner_result_t r = end_of_run(process);
    ok_ended(&r, FINISHED, EXIT_CODE, "the inspector");
    snprintf(text, sizeof text, "%s", output_of(process, 1, &length));
    ok_value(text, "fds", "0,1,2,5");
    ok(strstr(text, "fd.1=type:fifo access:w ") != NULL, "a blocking pipe to write to: %s", text);
    ok(strstr(text, "fd.0=type:file access:r") != NULL, "a file to read: %s", text);
    runner_process_free(process);
    runner_free(runner);
}

/* ------------------------------------------------------------------ ends that a pipe could keep from coming */

static void ends_all_the_same(runner_t *runner, int64_t at_most_ms, const char *what) {
    runner_capture(runner, 1, 1000);
    runner_set_wall_limit(runner, 15000 * MS);
    int64_t begin = now_ms();
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "%s", what);
    ok(now_ms() - begin < at_most_ms, "%s: it takes %lld ms", what, (long long)(now_ms() - begin));
    runner_free(runner);
    ok_all_gone();
}

static void held_pipes(void) {
    ends_all_the_same(load("bg", "pause", "end", "say", "1", "x", "exit", "0"), 3000, "a child holds the pipe");
    ends_all_the_same(load("daemon", "pause", "end", "say", "1", "x", "exit", "0"), 3000, "a daemon holds the pipe");
    ends_all_the_same(load("close", "1", "sleep", "50", "exit", "0"), 3000, "it closes its output early");
    ends_all_the_same(load("close-all", "exit", "0"), 3000, "it closes everything");
    runner_t *runner = load("close", "1", "sleep", "50", "exit", "0");
    static char input[1 << 20];
    runner_set_stdin_bytes(runner, input, sizeof input);
    ends_all_the_same(runner, 3000, "it never reads its input");
}

/* The daemon writes on after the first process has ended: it is killed, what came before is kept. */
static void writing_daemon(void) {
    size_t length;
    runner_t *runner = load("daemon", "write", "1", "100000000000", "end", "sleep", "60", "exit", "0");
    runner_capture(runner, 1, UINT64_C(1) << 40);
    runner_process_t *process = spawn(runner);
    runner_result_t r = end_of_run(process);
    ok_ended(&r, FINISHED, EXIT_CODE, "a daemon writes on");
    ok(is_pattern(output_of(process, 1, &length), 1) && length > 0, "what came is kept");
    runner_process_free(process);
    runner_free(runner);
    ok_all_gone();
}

/* Who else has the pipe is the program's doing: a process outside of the run. The run ends, the pipe with it. */
static void outside_writer(void) {
    char path[64];
    runner_t *runner = load("say", "1", "x", "sleep", "300", "exit", "0");
    runner_capture(runner, 1, 1000);
    runner_process_t *process = spawn(runner);
    snprintf(path, sizeof path, "/proc/%d/fd/1", runner_process_pid(process));
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ok(fd >= 0, "the pipe's end, from outside");
    runner_result_t r = end_of_run(process);
    ok_ended(&r, FINISHED, EXIT_CODE, "the run ends");
    signal(SIGPIPE, SIG_IGN);
    ok(write(fd, "y", 1) < 0 && errno == EPIPE, "nobody reads any more");
    signal(SIGPIPE, SIG_DFL);
    close(fd);
    runner_process_free(process);
    runner_free(runner);
    ok_all_gone();
}

/* ------------------------------------------------------------------ input */

static void input_sizes(void) {
    static const size_t sizes[] = {0, 1, 4096, 65536, 65537, 8 << 20};
    char *input = malloc(8 << 20);
    for (size_t i = 0; i < 8 << 20; i++)
        input[i] = (char)('a' + i % 23);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t length;
        runner_t *runner = load("cat", "exit", "3");
        ok_int(runner_set_stdin_bytes(runner, input, sizes[i]), 0, "input");
        runner_capture(runner, 1, 16 << 20);
        runner_process_t *process = spawn(runner);
        runner_result_t r = end_of_run(process);
        ok_ended(&r, FINISHED, EXIT_CODE, "%zu bytes of input", sizes[i]);
        ok_int(r.exit_code, 3, "its exit code");
        const char *data = output_of(process, 1, &length);
        ok(length == sizes[i] && is_pattern(data, length), "%zu bytes come back as %zu", sizes[i], length);
        runner_process_free(process);
        runner_free(runner);
    }
    free(input);
    ok_all_gone();
}

static void input_is_copied(void) {
    char input[] = "before", text[16];
    size_t length;
    runner_t *runner = load("cat");
    runner_set_stdin_bytes(runner, input, 6);
    memcpy(input, "after!", 6);
    runner_capture(runner, 1, 100);
    for (int i = 0; i < 2; i++) {
        runner_process_t *process = spawn(runner);
        end_of_run(process);
        snprintf(text, sizeof text, "%s", output_of(process, 1, &length));
        ok_str(text, "before", "run %d", i);
        runner_process_free(process);
    }
    runner_free(runner);
}

/* A file that the program may seek in, and change by no means; the next run has it whole. */
static void input_is_sealed(void) {
    char text[256];
    size_t length;
    runner_t *runner = load("input");
    runner_set_stdin_bytes(runner, "abcdef", 6);
    runner_capture(runner, 1, 200);
    for (int i = 0; i < 2; i++) {
        runner_process_t *process = spawn(runner);
        end_of_run(process);
        snprintf(text, sizeof text, "%s", output_of(process, 1, &length));
        ok_str(text, "file=1 size=6 second=b changed=0\n", "run %d", i);
        runner_process_free(process);
    }
    runner_free(runner);
}

static void input_in_place_of_files(void) {
    char text[64];
    size_t length;
    int ends[2];
    ok_int(pipe2(ends, O_CLOEXEC), 0, "a pipe of the host's");
    runner_t *runner = load("cat");
    runner_set_files(runner, (int[]){ends[0]}, 1);
    runner_set_stdin_bytes(runner, "given", 5);
    runner_capture(runner, 1, 100);
    runner_process_t *process = spawn(runner);
    end_of_run(process);
    snprintf(text, sizeof text, "%s", output_of(process, 1, &length));
    ok_str(text, "given", "in the place of fd 0");
    runner_process_free(process);
    runner_set_stdin_bytes(runner, NULL, 0);
    ok(write(ends[1], "pipe", 4) == 4, "into the pipe");
    close(ends[1]);
    process = spawn(runner);
    end_of_run(process);
    snprintf(text, sizeof text, "%s", output_of(process, 1, &length));
    ok_str(text, "pipe", "NULL takes it back");
    runner_process_free(process);
    close(ends[0]);
    runner_free(runner);
}

static void input_and_capture(void) {
    struct counts before = counts_now();
    runner_t *runner = load("exit", "0");
    runner_set_stdin_bytes(runner, "a", 1);
    runner_capture(runner, 0, 10);
    runner_result_t r = RUNNER_RESULT_INIT;
    ok_failed(runner_run(runner, &r, &last_error), RUNNER_STAGE_OPTIONS, -1, EINVAL);
    runner_set_stdin_bytes(runner, NULL, 0);
    r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "fd 0 captured, for a program that writes to it");
    runner_free(runner);
    ok_nothing_left(before);
    ok_all_gone();
}

/* The host's own limit on files must not raise SIGXFSZ in it. */
static void input_beyond_host_limit_checks(void) {
    struct rlimit limit = {4096, RLIM_INFINITY};
    char input[8192] = "";
    setrlimit(RLIMIT_FSIZE, &limit);
    runner_t *runner = load("exit", "0");
    runner_set_stdin_bytes(runner, input, sizeof input);
    ok_failed(runner_run(runner, NULL, &last_error), RUNNER_STAGE_STDIO, 0, EFBIG);
    runner_set_stdin_bytes(runner, input, 4096);
    runner_result_t r = run_result(runner);
    ok_ended(&r, FINISHED, EXIT_CODE, "as large as the limit");
    runner_free(runner);
}

static void input_beyond_host_limit(void) {
    in_child(input_beyond_host_limit_checks);
    ok_all_gone();
}

/* ------------------------------------------------------------------ while it runs */

/* Output comes with each step, and is the handle's until the next. */
static void meanwhile(void) {
    size_t length;
    runner_t *runner = load("say", "1", "one", "sleep", "150", "say", "1", "two", "sleep", "60000");
    runner_capture(runner, 1, 100);
    runner_process_t *process = spawn(runner);
    const char *data = output_of(process, 1, &length);
    ok_int(length, 0, "nothing has been taken in yet");
    for (int64_t end = now_ms() + PATIENCE; length < 3 && now_ms() < end; sleep_ms(1)) {
        runner_process_step(process, NULL);
        data = output_of(process, 1, &length);
    }
    ok(length == 3 && memcmp(data, "one", 3) == 0, "the first part");
    for (int64_t end = now_ms() + PATIENCE; length < 6 && now_ms() < end; sleep_ms(1)) {
        runner_process_wait(process, MS, NULL);
        data = output_of(process, 1, &length);
    }
    ok(length == 6 && memcmp(data, "onetwo", 6) == 0, "the second part");
    runner_result_t r = RUNNER_RESULT_INIT;
    runner_process_usage(process, &r);
    ok_int(r.output_bytes, 6, "usage counts it");
    runner_process_kill(process);
    r = end_of_run(process);
    ok_ended(&r, KILLED, CALLER, "killed");
    data = output_of(process, 1, &length);
    ok(length == 6 && memcmp(data, "onetwo", 6) == 0, "it is kept after the kill");
    runner_process_free(process);
    runner_free(runner);
    ok_all_gone();
}

/* What was written right before an end of any kind is there. */
static void last_words(void) {
    static const struct {
        const char *name, *args[6];
    } rows[] = {{"an exit", {"exit", "0", NULL}},
                {"a signal", {"raise", "11", NULL}},
                {"its own SIGKILL", {"raise", "9", NULL}},
                {"a CPU limit", {"spin", "60000", NULL}},
                {"a wall limit", {"pause", NULL}},
                {"a memory limit", {"touch", "100", "sleep", "2000", NULL}}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *argv[16] = {load_path(), load_tag(), "write", "1", "50000"};
        size_t length;
        append(argv, rows[i].args);
        runner_t *runner = runner_for(argv);
        runner_capture(runner, 1, 100000);
        runner_set_cpu_limit(runner, 100 * MS);
        runner_set_wall_limit(runner, 400 * MS);
        runner_set_memory_limit(runner, 64 * MIB);
        runner_process_t *process = spawn(runner);
        end_of_run(process);
        ok(is_pattern(output_of(process, 1, &length), 50000) && length == 50000, "before %s: %zu bytes", rows[i].name,
           length);
        runner_process_free(process);
        runner_free(runner);
    }
    ok_all_gone();
}

/* A hundred runs whose host is slow, and whose program is quick: all of the output, each time. */
static void never_lost(void) {
    for (int i = 0; i < 100; i++) {
        size_t length;
        runner_t *runner = load("write", "1", "60000", "write", "2", "60000");
        runner_capture(runner, 1, 1 << 20);
        runner_capture(runner, 2, 1 << 20);
        runner_process_t *process = spawn(runner);
        if (i % 2)
            usleep(1500);
        end_of_run(process);
        output_of(process, 1, &length);
        size_t other = 0;
        output_of(process, 2, &other);
        ok(length == 60000 && other == 60000, "run %d: %zu and %zu bytes", i, length, other);
        runner_process_free(process);
        runner_free(runner);
    }
    ok_all_gone();
}

static const struct test tests[] = {
    {"a byte at the limit would be lost, or one beyond it pass", at_the_limit},
    {"endless output would go on", endless},
    {"output would be lost where the host is slow", slow_host},
    {"output in a pipe of unusual size would be lost", large_pipe},
    {"output of several fds would be mixed up", several_fds},
    {"of very many fds some would be forgotten", many_fds},
    {"the output limit would be for each fd alone", output_limit_of_all},
    {"what is more than a head would end the run, or block it", head_only},
    {"the output limit would count what is not captured", output_limit_alone},
    {"a second capture of an fd would be another one", replaced},
    {"a capture would change other fds", beside_files},
    {"the program would have the host's ends", what_the_program_has},
    {"a pipe that is held, closed or not read would keep a run from its end", held_pipes},
    {"a daemon that writes on would keep a run from its end", writing_daemon},
    {"a writer outside of the run would keep it from its end", outside_writer},
    {"input of some size would be cut, or block", input_sizes},
    {"input would change with the caller's memory", input_is_copied},
    {"a program could change its input", input_is_sealed},
    {"input would be beside what the files say", input_in_place_of_files},
    {"fd 0 would be both input and output", input_and_capture},
    {"input beyond the host's own limit would kill it", input_beyond_host_limit},
    {"output would only come at the end", meanwhile},
    {"what was written right before the end would be lost", last_words},
    {"output would be lost now and then", never_lost},
};

int main(int argc, char **argv) {
    return tap_main(argc, argv, tests, COUNT(tests), NULL, 0);
}
