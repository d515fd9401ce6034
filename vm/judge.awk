# Judges what a virtual machine reported (see tests.sh) by its plan: every program with its whole TAP, and the end.
#   awk -v version=6.1 -v console=FILE -f judge.awk PLAN REPORT

function name_of(path) {
    sub(/.*\//, "", path)
    return path
}

function end_of_program(    good) {
    if (program == "")
        return
    good = status == 0 && not == 0 && plan == ok + not && plan > 0
    printf "%-24s %3d passed, %d failed, %d skipped\n", name_of(program) (user == 0 ? "" : " as " user),
           ok - skip, not, skip
    printf "%s", skips
    if (!good) {
        printf "    exit status %s, plan %s, %d results; failures:\n%s%s",
               status, plan < 0 ? "missing" : plan, ok + not, failures, errors
        if (not == 0)
            not = 1
    }
    passed += ok - skip
    failed += not
    skipped += skip
    program = ""
}

FILENAME == ARGV[1] {
    wanted[++count] = $1 " " $3
    next
}

{ sub(/\r$/, "") }
/^@kernel / { kernel = $2 }
/^@program / {
    end_of_program()
    user = $2
    program = $3
    seen[user " " program] = 1
    ok = not = skip = failing = 0
    plan = -1
    status = "none"
    skips = failures = errors = ""
}
/^@stderr / { errors = errors "    stderr: " substr($0, 9) "\n" }
/^@status / {
    status = $2
    uptime = $3
    end_of_program()
}
/^@end$/ { ended = 1 }

# ---- TAP

program == "" || /^@/ { next }
/^ok / {
    ok++
    failing = 0
    if (tolower($0) ~ /# skip/) {
        skip++
        skips = skips "    " $0 "\n"
    }
}
/^not ok / {
    not++
    failing = 12
}
/^1\.\.[0-9]+$/ {
    plan = substr($0, 4) + 0
    failing = 0
}
/^Bail out!/ { failing = 12 }
failing > 0 {
    failures = failures "    " $0 "\n"
    failing--
}

END {
    end_of_program()
    for (i = 1; i <= count; i++)
        if (!(wanted[i] in seen)) {
            split(wanted[i], words, " ")
            print name_of(words[2]) (words[1] == 0 ? "" : " as " words[1]) ": did not run"
            failed++
        }
    if (!ended) {
        print "the machine did not come to its end; its console:"
        failed++
    }
    while ((getline line < console) > 0) {
        sub(/\r$/, "", line)
        if (!ended || line ~ /BUG:|WARNING:|Oops|panic/)
            lines[++length_of_console] = line
    }
    for (i = length_of_console > 40 ? length_of_console - 39 : 1; i <= length_of_console; i++)
        print "    console: " lines[i]
    printf "vm %s (%s), %d s: %d passed, %d failed, %d skipped\n", version, kernel == "" ? "it said nothing" : kernel,
           uptime, passed, failed, skipped
    exit failed > 0
}
