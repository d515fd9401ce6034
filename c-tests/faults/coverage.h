/* That the sets use every kind of op: every stage of the ABI, and every call and act that the library's source names.
 * A new one that no set has is a failure. Include after programs.h. */

#ifndef COVERAGE_H
#define COVERAGE_H

#include <ftw.h>

/* What the parent alone does, before and after the child. Every other stage has to be one of some child's ops. */
static bool is_the_parents(uint32_t stage) {
    static const uint32_t stages[] = {RUNNER_STAGE_NONE,  RUNNER_STAGE_OPTIONS, RUNNER_STAGE_MEMORY,
                                      RUNNER_STAGE_THREAD, RUNNER_STAGE_CLONE,   RUNNER_STAGE_PIDFD,
                                      RUNNER_STAGE_STDIO};
    for (size_t i = 0; i < COUNT(stages); i++)
        if (stages[i] == stage)
            return true;
    return false;
}

static bool any_op_of(uint32_t stage) {
    for (size_t i = 0; i < COUNT(sets); i++)
        for (size_t k = 0; k < programs[i].count; k++)
            if (programs[i].ops[k].stage == stage)
                return true;
    return false;
}

static void every_stage_is_covered(void) {
    for (const struct set *set = sets; set < sets + COUNT(sets); set++) {
        if (obstacle(set) != NULL)
            SKIP("%s is left out: %s", set->name, obstacle(set));
        program_of(set);
    }
    for (uint32_t stage = 0; strcmp(runner_stage_name(stage), "unknown") != 0; stage++)
        ok(any_op_of(stage) != is_the_parents(stage), "stage %s is an op's of some set, or the parent's",
           runner_stage_name(stage));
}

/* ------------------------------------------------------------------ by the library's source */

/* What compile can put into a program beside plain calls, and how explain prints it. */
static const struct form {
    const char *name, *text;
} forms[] = {
    {"Act::Call", "("},
    {"Act::ResetSignals", " rt_sigaction(each"},
    {"Act::DropPending", " rt_sigpending()"},
    {"Act::CloseFrom", " close_range("},
    {"Act::WriteAll", " write("},
    {"Act::Remount", "|its own"},
    {"Act::CheckCwd", " getcwd()"},
    {"Act::CheckProgram", " check("},
    {"Act::Wait", " wait:"},
    {"Act::Stamp", " clock_gettime("},
    {"Act::Filter", " seccomp("},
    {"Act::Exec", " exec"},
    {"Turn::MapIds", " wait: the parent writes"},
    {"Turn::Callback", " wait: the parent calls the callback"},
    {"Turn::Hold", " wait: held"},
    {"Turn::Stop", " wait: the parent stops"},
    {"ExecWhat::Path", " execve("},
    {"ExecWhat::Fd", " execveat("},
};

/* A name as it stands in the source: `nr::OPENAT` is printed as ` openat(`, the rest stands in the table. */
static void ok_name_is_covered(const char *name, const char *file) {
    char call[64] = "";
    const char *text = begins(name, "nr::") ? call : NULL;
    for (size_t i = 0; i < COUNT(forms); i++)
        if (strcmp(forms[i].name, name) == 0)
            text = forms[i].text;
    snprintf(call, sizeof call, " %s(", name + 4);
    for (char *c = call; *c != '\0'; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    ok(text != NULL && is_printed(text), "%s: %s is in no set: add one that has it", file, name);
}

/* Checks every name in a source file that begins with `prefix`, and goes on with a capital letter. */
static int check_names(const char *text, const char *prefix, const char *file) {
    static const char *const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    int found = 0;
    for (const char *at = text; (at = strstr(at, prefix)) != NULL; at += strlen(prefix)) {
        const char *end = at + strlen(prefix);
        char name[64];
        if (*end < 'A' || *end > 'Z')
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(end - at + (long)strspn(end, letters)), at);
        ok_name_is_covered(name, file);
        found++;
    }
    return found;
}

static int names_found;

static int check_source(const char *path, const struct stat *st, int type, struct FTW *where) {
    static const char *const prefixes[] = {"Act::", "Turn::", "ExecWhat::", "nr::"};
    static char text[1 << 18];
    (void)st;
    if (type != FTW_F || strcmp(path + where->base, "tests.rs") == 0 || read_file(path, text, sizeof text) < 0)
        return 0;
    for (size_t i = 0; i < COUNT(prefixes); i++)
        names_found += check_names(text, prefixes[i], path);
    return 0;
}

static void every_kind_of_op_is_covered(void) {
    static const char *const sources = "src/compile"; /* from where `make` runs the tests */
    if (access(sources, F_OK) != 0)
        SKIP("the library's source is not here");
    for (const struct set *set = sets; set < sets + COUNT(sets); set++) {
        if (obstacle(set) != NULL)
            SKIP("%s is left out: %s", set->name, obstacle(set));
        program_of(set);
    }
    if (!old->known)
        SKIP("the case without the new mount calls was left out");
    names_found = 0;
    nftw(sources, check_source, 8, FTW_PHYS);
    ok(names_found > 80, "%d names of ops in %s", names_found, sources);
}

#endif
