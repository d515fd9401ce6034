# Turns a machine's apt sources, of either format, into those of another Debian release: the entries for the main
# archive of the machine's own release and for its security updates, with that release's name replaced and everything
# else kept (URIs, keys, trust). Entries of anybody else are left out.
#   awk -v own=bookworm -v wanted=trixie -v format=list|sources -f sources.awk FILE...

# "" for a suite that is not the own release or its security updates.
function other_suite(suite,    security) {
    security = sub(/-security$/, "", suite)
    if (suite != own && suite !~ /^(stable|oldstable|oldoldstable|testing)$/)
        return ""
    return wanted (security ? "-security" : "")
}

function has_word(text, word) {
    return (" " text " ") ~ ("[ \t]" word "[ \t]")
}

# ---- one entry a line: deb [options] URI suite component...

format == "list" && /^[ \t]*deb[ \t]/ {
    sub(/#.*/, "")
    options = match($0, /\[[^]]*\]/) ? substr($0, RSTART, RLENGTH) " " : ""
    sub(/\[[^]]*\]/, "")
    count = split($0, words, /[ \t]+/)
    first = words[1] == "" ? 2 : 1
    suite = other_suite(words[first + 2])
    components = ""
    for (i = first + 3; i <= count; i++)
        components = components " " words[i]
    if (suite != "" && has_word(components, "main"))
        print "deb " options words[first + 1] " " suite " main"
}

# ---- deb822: stanzas of fields, a field goes on in lines that begin with a blank

function end_of_stanza(    count, words, i, suites, suite) {
    count = split(fields["suites"], words, /[ \t]+/)
    for (i = 1; i <= count; i++)
        if ((suite = other_suite(words[i])) != "" && !has_word(suites, suite))
            suites = suites " " suite
    if (suites != "" && has_word(fields["types"], "deb") && has_word(fields["components"], "main") &&
        fields["enabled"] !~ /no|false|off|0/)
        print "Types: deb\nSuites:" suites "\nComponents: main\n" rest
    split("", fields)
    rest = ""
}

format == "sources" && (/^[ \t]*$/ || FNR == 1) { end_of_stanza() }
format == "sources" && /^#/ { next }
format == "sources" && /^[^ \t]/ {
    name = tolower(substr($0, 1, index($0, ":") - 1))
    taken = name ~ /^(types|suites|components|enabled)$/
}
format == "sources" && !/^[ \t]*$/ {
    if (taken) {
        value = $0
        sub(/^[^ \t:]+:/, "", value)
        fields[name] = fields[name] " " value
    } else
        rest = rest $0 "\n"
}
END { end_of_stanza() }
