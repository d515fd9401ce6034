/* An interactive problem: one or two contestants' programs play against an interactor, and it decides.
 *
 *   interactive [COMMAND [COMMAND]]
 *
 * The interactor has a number from 1 to 1000. Whose turn it is hears "guess", "higher" or "lower" and answers with a
 * number; the first to be right wins. COMMAND is a shell command line that plays; without any, good and bad players
 * are shown, and the exit status is 0 where each got what it deserves.
 *
 *   player 1   fd 0 <------- pipe ------- fd 4   interactor   fd 0 <--- the number
 *              fd 1 -------- pipe ------> fd 3                fd 1 ---> "turn 1", "verdict 1 solved ..."
 *   player 2   the same with                5, 6
 *
 * Each of them is a watched run with limits of its own; one thread watches them all. A pipe ends when the last copy
 * of its other end is closed, and everything follows from that: the interactor sees EOF from a player that has died;
 * when the interactor has ended, players see EOF and SIGPIPE (EPIPE, as pid 1 of a namespace, which SIGPIPE does not
 * end). Who stays nevertheless is killed a moment later.
 *
 * A player's wall limit would run on while the other one thinks. So each has a clock beside it, as in chess, that
 * only runs in its own turns: the interactor says whose turn it is, and the host ends who thinks for too long.
 */
#define _GNU_SOURCE /* pipe2, and the namespaces of sandbox.h */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "judge/sandbox.h"
#include "runner.h"

enum { INTERACTOR, PLAYERS = 2, PROGRAMS = 1 + PLAYERS }; /* player 1 is program 1 */
static const int64_t MS = 1000000, CLOCK_NS = 1000 * MS, GRACE_NS = 200 * MS;

/* The interactor has the shorter wall limit: where it hangs, it is to blame, not who waits for it. */
static const struct limits INTERACTOR_LIMITS = {.cpu_ns = 3000000000, .wall_ns = 5000000000, .memory = 64 << 20,
                                                .output = 64 << 10, .scratch = 1 << 20, .processes = 8};
static const struct limits PLAYER_LIMITS = {.cpu_ns = 200000000, .wall_ns = 6000000000, .memory = 64 << 20,
                                            .output = 1 << 20, .scratch = 1 << 20, .processes = 8};

/* Twenty guesses each: that fills no pipe, so a player that does not read keeps nobody waiting. Writing to one that
 * has gone fails. (An interactor that is not pid 1 of a namespace has to ignore SIGPIPE, which would end it.) */
static const char INTERACTOR_SCRIPT[] =
    "read -r secret players\n"
    "verdict() { echo \"verdict $*\"; playing=$(echo $playing | tr -d \"$1\"); }\n"
    "ask() {\n"
    "    eval \"hint=\\${hint$1:-guess}\"\n"
    "    echo \"turn $1\"\n"
    "    if ! { echo $hint >&$((2 * $1 + 2)) && read -r guess <&$((2 * $1 + 1)); }; then guess=gone; fi\n"
    "    echo 'turn 0'\n"
    "    case $guess in\n"
    "    gone) verdict $1 hung up ;;\n"
    "    '' | *[!0-9]* | ?????*) verdict $1 wrong: no number ;;\n"
    "    $secret) verdict $1 solved with $count; for other in $playing; do verdict $other lost; done ;;\n"
    "    *) if [ $guess -lt $secret ]; then eval hint$1=higher; else eval hint$1=lower; fi ;;\n"
    "    esac\n"
    "}\n"
    "playing=$players count=0\n"
    "while [ $((count += 1)) -le 20 ]; do\n"
    "    for player in $playing; do case $playing in *$player*) ask $player ;; esac; done\n"
    "done\n"
    "for player in $playing; do verdict $player wrong: too many guesses; done\n";

static const char HANGING_INTERACTOR[] = "echo guess >&4; read -r guess <&3; sleep 60";

/* What the demo plays: the players, and what has to become of each. */
static const char BISECTS[] = "low=1 high=1000\n"
                              "while read -r hint; do\n"
                              "    case $hint in higher) low=$((guess + 1)) ;; lower) high=$((guess - 1)) ;; esac\n"
                              "    echo $((guess = (low + high) / 2))\n"
                              "done\n";
static const char COUNTS[] = "guess=0; while read -r hint; do echo $((guess += 1)); done";
static const char BABBLES[] = "read -r hint; echo 'I like 7'; read -r hint";
static const char HANGS[] = "read -r hint; echo 500; sleep 60";
static const char DIES[] = "read -r hint; exit 3";
static const char SPINS[] = "read -r hint; while :; do :; done";
static const char FLOODS[] = "exec yes 1";          /* goes when it cannot write any more */
static const char ENDLESS[] = "exec cat /dev/zero"; /* a line without an end */
static const char STAYS[] = "read -r hint; echo 700; exec sleep 60";

static const struct demo {
    const char *name, *interactor;
    const char *players[PLAYERS], *expected[PLAYERS];
} DEMO[] = {
    {"good", INTERACTOR_SCRIPT, {BISECTS}, {"solved with 9"}},
    {"slow in guessing", INTERACTOR_SCRIPT, {COUNTS}, {"wrong: too many guesses"}},
    {"babbles", INTERACTOR_SCRIPT, {BABBLES}, {"wrong: no number"}},
    {"hangs", INTERACTOR_SCRIPT, {HANGS}, {"too slow"}},
    {"dies", INTERACTOR_SCRIPT, {DIES}, {"hung up"}},
    {"spins", INTERACTOR_SCRIPT, {SPINS}, {"time_limit"}},
    {"floods", INTERACTOR_SCRIPT, {FLOODS}, {"wrong: too many guesses"}},
    {"endless line", INTERACTOR_SCRIPT, {ENDLESS}, {"too slow"}},
    {"right, but stays", INTERACTOR_SCRIPT, {STAYS}, {"solved with 1"}},
    {"good, slow", INTERACTOR_SCRIPT, {BISECTS, COUNTS}, {"solved with 9", "lost"}},
    {"good, hangs", INTERACTOR_SCRIPT, {BISECTS, HANGS}, {"solved with 9", "too slow"}},
    {"dies, good", INTERACTOR_SCRIPT, {DIES, BISECTS}, {"hung up", "solved with 9"}},
    {"interactor hangs", HANGING_INTERACTOR, {BISECTS}, {"interactor failed"}},
};

struct host {
    struct sandbox sandbox;
    char work[PATH_MAX];
};

struct program {
    runner_process_t *process;
    runner_result_t result;
    bool over, out_of_time;
    int64_t thought_ns;
    char verdict[64]; /* the interactor's */
};

struct match {
    struct program programs[PROGRAMS];
    int players;
    int turn; /* whose clock runs; 0: nobody's */
    int64_t turn_began_ns, interactor_ended_ns;
    size_t heard; /* bytes of what the interactor says */
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 * MS + t.tv_nsec;
}

/* ---- the start ----------------------------------------------------------------------------------------------- */

/* What a program may see and do is as in the judge. Its files are not: they are pipes to others, not captures. */
static runner_t *options(const struct host *host, const char *script, const struct limits *limits)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    struct run run = {.argv = argv, .env = env, .box = host->work, .limits = *limits};
    runner_t *runner = sandbox_runner(&host->sandbox, &run);
    if (!runner)
        return NULL;
    runner_clear_limits(runner);
    add_limits(limits, runner);
    return runner;
}

static bool spawn(struct program *program, runner_t *runner)
{
    runner_error_t error = RUNNER_ERROR_INIT;
    program->result = (runner_result_t)RUNNER_RESULT_INIT;
    program->process = runner ? runner_spawn(runner, &error) : NULL;
    if (!runner)
        perror("options");
    else if (!program->process)
        fprintf(stderr, "%s: %s\n", runner_stage_name(error.stage), error.message);
    runner_free(runner); /* what runs does not need it */
    return program->process != NULL;
}

/* The player's end of both pipes is given to it, the interactor's to the interactor. */
static bool spawn_player(const struct host *host, struct program *player, const char *script, int interactor_ends[2])
{
    /* Close-on-exec, for whatever else this program forks meanwhile. What librunner starts gets no fd but its own. */
    int answers[2], hints[2];
    if (pipe2(answers, O_CLOEXEC) != 0)
        return false;
    if (pipe2(hints, O_CLOEXEC) != 0) {
        close(answers[0]);
        close(answers[1]);
        return false;
    }
    runner_t *runner = options(host, script, &PLAYER_LIMITS);
    if (runner)
        runner_set_files(runner, (const int[]){hints[0], answers[1]}, 2);
    bool good = spawn(player, runner);
    /* As long as this program holds them, the interactor would never see the end of a player that died. */
    close(hints[0]);
    close(answers[1]);
    interactor_ends[0] = answers[0];
    interactor_ends[1] = hints[1];
    return good;
}

static bool spawn_interactor(const struct host *host, struct match *match, const char *script, const int *ends)
{
    int files[3 + 2 * PLAYERS] = {-1, -1, -1}; /* 0 to 2: see below */
    runner_t *runner = options(host, script, &INTERACTOR_LIMITS);
    if (runner) {
        const char *secret = match->players == 2 ? "700 1 2\n" : "700 1\n";
        memcpy(files + 3, ends, 2 * PLAYERS * sizeof *ends);
        runner_set_files(runner, files, 3 + 2 * (size_t)match->players);
        runner_set_stdin_bytes(runner, secret, strlen(secret));
        runner_capture(runner, STDOUT_FILENO, INTERACTOR_LIMITS.output);
        runner_capture_head(runner, STDERR_FILENO, 4096);
    }
    return spawn(&match->programs[INTERACTOR], runner);
}

static bool spawn_all(const struct host *host, struct match *match, const struct demo *demo)
{
    int ends[2 * PLAYERS] = {-1, -1, -1, -1};
    bool good = true;
    match->turn_began_ns = now_ns();
    for (; good && match->players < PLAYERS && demo->players[match->players]; match->players++)
        good = spawn_player(host, &match->programs[match->players + 1], demo->players[match->players],
                            ends + 2 * match->players);
    good = good && spawn_interactor(host, match, demo->interactor, ends);
    /* Nor would a player ever see the end of the interactor. */
    for (int i = 0; i < 2 * match->players; i++)
        close(ends[i]);
    return good;
}

/* ---- the match ----------------------------------------------------------------------------------------------- */

static void set_turn(struct match *match, int turn)
{
    int64_t now = now_ns();
    match->programs[match->turn].thought_ns += now - match->turn_began_ns;
    match->turn = turn;
    match->turn_began_ns = now;
}

static void hear_line(struct match *match, const char *line)
{
    int player = 0;
    char verdict[64];
    if (sscanf(line, "turn %d", &player) == 1 && player >= 0 && player <= match->players)
        set_turn(match, player);
    else if (sscanf(line, "verdict %d %63[^\n]", &player, verdict) == 2 && player > 0 && player <= match->players)
        strcpy(match->programs[player].verdict, verdict);
}

/* What the interactor has said since the last time, whole lines only. */
static void hear(struct match *match)
{
    const void *data;
    size_t length;
    runner_process_output(match->programs[INTERACTOR].process, STDOUT_FILENO, &data, &length);
    const char *line = (const char *)data + match->heard, *newline;
    for (; (newline = strchr(line, '\n')); line = newline + 1)
        hear_line(match, line);
    match->heard = (size_t)(line - (const char *)data);
}

/* A program's fd is readable: whatever is due is done, and that may be its end. */
static void step(struct match *match, int who)
{
    struct program *program = &match->programs[who];
    program->over = runner_process_step(program->process, &program->result) != 0;
    if (who != INTERACTOR)
        return;
    hear(match);
    if (program->over) {
        set_turn(match, 0);
        match->interactor_ended_ns = now_ns();
    }
}

static int64_t time_left(const struct match *match)
{
    if (match->programs[INTERACTOR].over)
        return match->interactor_ended_ns + GRACE_NS - now_ns();
    if (match->turn && !match->programs[match->turn].over)
        return match->turn_began_ns + CLOCK_NS - match->programs[match->turn].thought_ns - now_ns();
    return INT64_MAX; /* their wall limits see to the rest */
}

/* Who has thought for too long is ended, and to the interactor that is one more player who has hung up; so is who
 * stays although the interactor has gone. */
static void keep_time(struct match *match)
{
    if (time_left(match) > 0)
        return;
    for (int i = 1; i <= match->players; i++) {
        if (match->programs[i].over || (match->turn && match->turn != i))
            continue;
        match->programs[i].out_of_time |= match->turn == i;
        runner_process_kill(match->programs[i].process);
    }
}

static int poll_timeout(const struct match *match)
{
    int64_t left = time_left(match);
    return left == INT64_MAX ? -1 : left < 0 ? 0 : (int)(left / MS) + 1;
}

/* All of them, by one thread, until the last one has ended. */
static void watch(struct match *match)
{
    int over = 0, programs = match->players + 1;
    while (over < programs) {
        struct pollfd fds[PROGRAMS];
        for (int i = 0; i < programs; i++) {
            int fd = match->programs[i].over ? -1 : runner_process_fd(match->programs[i].process);
            fds[i] = (struct pollfd){fd, POLLIN, 0}; /* poll skips -1 */
        }
        poll(fds, (nfds_t)programs, poll_timeout(match));
        for (int i = 0; i < programs; i++) {
            if (fds[i].revents)
                step(match, i);
            over += fds[i].revents && match->programs[i].over;
        }
        keep_time(match);
    }
}

/* ---- the verdicts -------------------------------------------------------------------------------------------- */

/* A limit that a player has met comes first. Else the interactor knows best, if it came to an end itself. */
static const char *verdict(const struct match *match, int player)
{
    const struct program *program = &match->programs[player], *interactor = &match->programs[INTERACTOR];
    uint32_t ending = program->result.verdict;
    if (ending == RUNNER_VERDICT_KILLED && program->out_of_time)
        return "too slow";
    if (ending != RUNNER_VERDICT_KILLED && ending != RUNNER_VERDICT_FINISHED && ending != RUNNER_VERDICT_SIGNALLED)
        return runner_verdict_name(ending);
    if (interactor->result.verdict != RUNNER_VERDICT_FINISHED || interactor->result.exit_code != 0)
        return "interactor failed";
    return *program->verdict ? program->verdict : "no verdict";
}

static void print_program(const char *match, const char *who, const struct program *program, const char *verdict)
{
    const runner_result_t *r = &program->result;
    char ending[64];
    snprintf(ending, sizeof ending, "%s", runner_verdict_name(r->verdict));
    if (r->verdict == RUNNER_VERDICT_FINISHED)
        snprintf(ending, sizeof ending, "exit code %d", r->exit_code);
    if (r->verdict == RUNNER_VERDICT_SIGNALLED)
        snprintf(ending, sizeof ending, "signal %d", r->signal);
    printf("%-17s %-10s %-24s %-12s %7.1f %7.1f %7.1f\n", match, who, verdict, ending,
           (double)program->thought_ns / 1e6, (double)r->cpu_ns / 1e6, (double)r->wall_ns / 1e6);
}

/* What a failed interactor complained of is the problem setter's to read. */
static void print_match(const struct match *match, const char *name)
{
    const struct program *interactor = &match->programs[INTERACTOR];
    const void *complaints;
    size_t length;
    for (int i = 1; i <= match->players; i++)
        print_program(name, i == 1 ? "player 1" : "player 2", &match->programs[i], verdict(match, i));
    print_program(name, "interactor", interactor, "");
    runner_process_output(interactor->process, STDERR_FILENO, &complaints, &length);
    if (interactor->result.verdict != RUNNER_VERDICT_FINISHED || interactor->result.exit_code != 0)
        printf("%.*s", (int)length, (const char *)complaints);
    fflush(stdout);
}

/* True: every verdict is as expected, where something is expected. */
static bool play(const struct host *host, const struct demo *demo)
{
    struct match match = {0};
    bool good = spawn_all(host, &match, demo);
    if (good) {
        watch(&match);
        print_match(&match, demo->name);
    }
    for (int i = 1; good && i <= match.players; i++) {
        const char *expected = demo->expected[i - 1];
        good = !expected || strcmp(verdict(&match, i), expected) == 0;
        if (!good)
            printf("%s: expected was: %s\n", demo->name, expected);
    }
    for (int i = 0; i < PROGRAMS; i++)
        runner_process_free(match.programs[i].process);
    return good;
}

static bool play_all(const struct host *host, const struct demo *demos, size_t count)
{
    bool good = true;
    printf("%-17s %-10s %-24s %-12s %7s %7s %7s\n", "match", "", "verdict", "its run", "clock", "cpu ms", "wall ms");
    for (size_t i = 0; i < count; i++)
        good &= play(host, &demos[i]);
    return good;
}

int main(int argc, char **argv)
{
    static struct host host;
    const char *tmp = getenv("TMPDIR");
    struct demo own = {.name = "yours", .interactor = INTERACTOR_SCRIPT};
    if (argc > 1 + PLAYERS) {
        fprintf(stderr, "usage: %s [COMMAND [COMMAND]]\n", argv[0]);
        return 2;
    }
    snprintf(host.work, sizeof host.work, "%.3000s/interactive-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(host.work) || chmod(host.work, 0711) != 0) {
        perror(host.work);
        return 2;
    }
    for (int i = 1; i < argc; i++)
        own.players[i - 1] = argv[i];

    bool isolated = sandbox_open(&host.sandbox, host.work), good = false;
    host.sandbox.with_proc = false; /* no player needs it */
    if (!isolated)
        printf("no isolation can be had here:\n%s\n", host.sandbox.probe.blocker);
    else
        good = argc > 1 ? play_all(&host, &own, 1) : play_all(&host, DEMO, sizeof DEMO / sizeof *DEMO);
    rmdir(host.sandbox.root);
    rmdir(host.work);
    return !isolated ? 77 : good ? 0 : 1;
}
