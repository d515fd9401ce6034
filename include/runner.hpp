/* librunner for C++17: starts and watches untrusted programs. Header-only, over runner.h, which is the manual: what
 * an option means, needs and refuses stands there, under the setter of the same name.
 *
 *     runner::command echo{"/bin/echo", "hi"};
 *     runner::result done = echo.wall_limit(2s).memory_limit(64 << 20).capture(1, 4096).run();
 *     std::cout << runner::name(done.verdict()) << ": " << done.output(1);
 *
 * CONVENTIONS
 *
 * Errors. What can fail has two forms. One throws runner::error. The other takes a runner::error_info & as its last
 * argument, does not throw, and fills that with what failed, or resets it. Under -fno-exceptions a call of the
 * throwing form does not compile. Both let std::bad_alloc through, but for what is noexcept.
 *
 * Options. The setters of runner::command never throw. The first argument that cannot be right (a NUL in a string, a
 * null pointer, a negative or too large number, what the library refuses) is remembered together with the option's
 * name, and every start of that command fails with EINVAL, stage options; command::check() tells at once.
 *
 * Handles. Each owns what its C handle is, can be moved, and frees it at the end of its life: what still runs is
 * killed, its whole tree. One that is empty (moved from, closed, resumed, aborted) fails with EINVAL, whatever is
 * called.
 *
 * Threads. A command may be started by any number of threads at once, while none changes it. A process may be used by
 * any number of threads at once, but for its move, close() and destruction. A held start is for one thread at a time.
 * In a fork of the host every handle fails with ECHILD, and only frees its copy of the memory.
 */

#ifndef RUNNER_HPP
#define RUNNER_HPP

#if __cplusplus < 201703L
#error "runner.hpp needs C++17"
#endif

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <poll.h>
#include <unistd.h>

#include "runner.h"

/** librunner for C++. */
namespace runner {

/* ---- what runner.h has as numbers ---------------------------------------------------------------------------- */

/** Where a start was when it failed. Numbers that a newer library has more of are values without a name here. */
enum class stage : std::uint32_t {
    none = RUNNER_STAGE_NONE,                     /**< Nothing failed, or it was no start. */
    options = RUNNER_STAGE_OPTIONS,               /**< The options; nothing was started. */
    memory = RUNNER_STAGE_MEMORY,                 /**< Memory for the start. */
    thread = RUNNER_STAGE_THREAD,                 /**< The short-lived helper thread. */
    clone = RUNNER_STAGE_CLONE,                   /**< clone(2). */
    id_map = RUNNER_STAGE_ID_MAP,                 /**< The id maps; index: which line. */
    setgroups = RUNNER_STAGE_SETGROUPS,           /**< setgroups(2). */
    setgid = RUNNER_STAGE_SETGID,                 /**< setresgid(2). */
    setuid = RUNNER_STAGE_SETUID,                 /**< setresuid(2). */
    dup = RUNNER_STAGE_DUP,                       /**< The program's files; index: its fd. */
    close = RUNNER_STAGE_CLOSE,                   /**< Closing all others; index: the program's fd, or -1. */
    setsid = RUNNER_STAGE_SETSID,                 /**< setsid(2). */
    setpgid = RUNNER_STAGE_SETPGID,               /**< setpgid(2). */
    ctty = RUNNER_STAGE_CTTY,                     /**< The controlling terminal. */
    mount = RUNNER_STAGE_MOUNT,                   /**< A mount; index: which piece of the root. */
    mkdir = RUNNER_STAGE_MKDIR,                   /**< A directory; index: which piece of the root. */
    file = RUNNER_STAGE_FILE,                     /**< A file; index: which piece of the root. */
    symlink = RUNNER_STAGE_SYMLINK,               /**< A symbolic link; index: which piece of the root. */
    pivot_root = RUNNER_STAGE_PIVOT_ROOT,         /**< Entering the new root. */
    sethostname = RUNNER_STAGE_SETHOSTNAME,       /**< sethostname(2). */
    setdomainname = RUNNER_STAGE_SETDOMAINNAME,   /**< setdomainname(2). */
    chdir = RUNNER_STAGE_CHDIR,                   /**< The working directory. */
    rlimit = RUNNER_STAGE_RLIMIT,                 /**< prlimit(2); index: which limit. */
    no_new_privs = RUNNER_STAGE_NO_NEW_PRIVS,     /**< PR_SET_NO_NEW_PRIVS. */
    capabilities = RUNNER_STAGE_CAPABILITIES,     /**< Capabilities and securebits. */
    ptrace = RUNNER_STAGE_PTRACE,                 /**< PTRACE_TRACEME. */
    stop = RUNNER_STAGE_STOP,                     /**< Stopping before the filter. */
    seccomp = RUNNER_STAGE_SECCOMP,               /**< The seccomp filter. */
    sync = RUNNER_STAGE_SYNC,                     /**< The callback, or the hold. */
    cgroup = RUNNER_STAGE_CGROUP,                 /**< A cgroup; index: which path. */
    exec = RUNNER_STAGE_EXEC,                     /**< The exec itself. */
    signals = RUNNER_STAGE_SIGNALS,               /**< Signal dispositions and mask. */
    unshare = RUNNER_STAGE_UNSHARE,               /**< The cgroup namespace after the callback. */
    loopback = RUNNER_STAGE_LOOPBACK,             /**< The interface lo. */
    umask = RUNNER_STAGE_UMASK,                   /**< umask(2). */
    nice = RUNNER_STAGE_NICE,                     /**< setpriority(2). */
    oom_score_adj = RUNNER_STAGE_OOM_SCORE_ADJ,   /**< oom_score_adj. */
    affinity = RUNNER_STAGE_AFFINITY,             /**< sched_setaffinity(2). */
    personality = RUNNER_STAGE_PERSONALITY,       /**< personality(2). */
    scheduler = RUNNER_STAGE_SCHEDULER,           /**< sched_setscheduler(2). */
    death_signal = RUNNER_STAGE_DEATH_SIGNAL,     /**< PR_SET_PDEATHSIG. */
    pidfd = RUNNER_STAGE_PIDFD,                   /**< The pidfd. */
    stdio = RUNNER_STAGE_STDIO,                   /**< Input and pipes of a watched run; index: its fd. */
    watch = RUNNER_STAGE_WATCH,                   /**< Epoll and timer of a watched run. */
    keyring = RUNNER_STAGE_KEYRING                /**< Making a session keyring. */
};

/** How a run ended, as a judge sees it. */
enum class verdict : std::uint32_t {
    none = RUNNER_VERDICT_NONE,                           /**< It goes on. */
    finished = RUNNER_VERDICT_FINISHED,                   /**< By itself, with an exit code, 0 or not. */
    signalled = RUNNER_VERDICT_SIGNALLED,                 /**< By a signal, for none of the reasons below. */
    time_limit = RUNNER_VERDICT_TIME_LIMIT,               /**< More CPU time than its limit. */
    wall_limit = RUNNER_VERDICT_WALL_LIMIT,               /**< It lasted too long. */
    memory_limit = RUNNER_VERDICT_MEMORY_LIMIT,           /**< More memory than its limit. */
    output_limit = RUNNER_VERDICT_OUTPUT_LIMIT,           /**< More output than a capture or its limit. */
    process_limit = RUNNER_VERDICT_PROCESS_LIMIT,         /**< It failed, and forks had been refused. */
    forbidden_syscall = RUNNER_VERDICT_FORBIDDEN_SYSCALL, /**< By a seccomp filter. */
    killed = RUNNER_VERDICT_KILLED,                       /**< By the caller. */
    launch_error = RUNNER_VERDICT_LAUNCH_ERROR            /**< It never began. */
};

/** What decided a verdict. */
enum class evidence : std::uint32_t {
    none = RUNNER_EVIDENCE_NONE,                   /**< Nothing yet. */
    exit_code = RUNNER_EVIDENCE_EXIT_CODE,         /**< Its exit code. */
    signal = RUNNER_EVIDENCE_SIGNAL,               /**< The signal that ended it. */
    cpu_time = RUNNER_EVIDENCE_CPU_TIME,           /**< Its CPU time, as measured. */
    wall_timer = RUNNER_EVIDENCE_WALL_TIMER,       /**< Its timer went off. */
    oom_killer = RUNNER_EVIDENCE_OOM_KILLER,       /**< It struck at the limit of the run's own cgroup. */
    memory_figure = RUNNER_EVIDENCE_MEMORY_FIGURE, /**< Its memory, as seen without a cgroup. */
    capture = RUNNER_EVIDENCE_CAPTURE,             /**< A captured fd had more than its limit. */
    file_size = RUNNER_EVIDENCE_FILE_SIZE,         /**< SIGXFSZ under a limit on the size of files. */
    pids_events = RUNNER_EVIDENCE_PIDS_EVENTS,     /**< Refused forks, as the kernel counted them. */
    seccomp = RUNNER_EVIDENCE_SECCOMP,             /**< SIGSYS under a filter. */
    caller = RUNNER_EVIDENCE_CALLER,               /**< The caller killed it. */
    launch = RUNNER_EVIDENCE_LAUNCH,               /**< The launch failed. */
    status_lost = RUNNER_EVIDENCE_STATUS_LOST      /**< Somebody else waited for it: exit_code is -1. */
};

/** Where a figure comes from. */
enum class source : std::uint32_t {
    none = RUNNER_SOURCE_NONE,           /**< There is no such figure. */
    cgroup_v2 = RUNNER_SOURCE_CGROUP_V2, /**< The run's cgroup v2, exact. */
    cgroup_v1 = RUNNER_SOURCE_CGROUP_V1, /**< The run's cgroup v1, exact. */
    rusage = RUNNER_SOURCE_RUSAGE,       /**< wait4(2): of those that were waited for. */
    sampled = RUNNER_SOURCE_SAMPLED      /**< The highest of several looks. */
};

/** The program's session. */
enum class session : std::uint32_t {
    new_session = RUNNER_SESSION_NEW, /**< A new session without a terminal. The default. */
    new_group = RUNNER_SESSION_GROUP, /**< A new process group in the host's session. */
    keep = RUNNER_SESSION_KEEP        /**< The host's own. */
};

/** Namespaces, or'ed together: the CLONE_NEW* of the kernel. */
enum class ns : std::uint64_t {
    none = 0,            /**< None is new. */
    time = 0x80,         /**< CLONE_NEWTIME. */
    mount = 0x20000,     /**< CLONE_NEWNS. */
    cgroup = 0x2000000,  /**< CLONE_NEWCGROUP. */
    uts = 0x4000000,     /**< CLONE_NEWUTS: host and domain name. */
    ipc = 0x8000000,     /**< CLONE_NEWIPC. */
    user = 0x10000000,   /**< CLONE_NEWUSER. */
    pid = 0x20000000,    /**< CLONE_NEWPID. */
    net = 0x40000000     /**< CLONE_NEWNET. */
};

/** How a piece of the host's tree is bound, or'ed together. */
enum class bind_flag : std::uint32_t {
    none = 0,                        /**< Writable, without what is mounted beneath it. */
    ro = RUNNER_BIND_RO,             /**< Read-only. */
    rec = RUNNER_BIND_REC,           /**< With what is mounted beneath it. */
    optional = RUNNER_BIND_OPTIONAL, /**< Skipped where the source does not exist. */
    noexec = RUNNER_BIND_NOEXEC,     /**< Nothing beneath it can be executed. */
    dev = RUNNER_BIND_DEV,           /**< Device files work. */
    suid = RUNNER_BIND_SUID          /**< Set-user-ID bits and file capabilities work. */
};

/** What a /proc shows, or'ed together. */
enum class proc_flag : std::uint32_t {
    none = 0,                      /**< All of it. */
    subset = RUNNER_PROC_SUBSET,   /**< Only the processes. */
    hidepid = RUNNER_PROC_HIDEPID, /**< Not the processes of other users. */
    mask = RUNNER_PROC_MASK,       /**< What is dangerous is covered or read-only. */
    ro = RUNNER_PROC_RO            /**< All of it read-only. */
};

/** What limits and figures had to do without, or'ed together. */
enum class missing : std::uint32_t {
    none = 0,                             /**< Nothing: the best. */
    memory = RUNNER_MISSING_MEMORY,       /**< A memory cgroup. */
    processes = RUNNER_MISSING_PROCESSES, /**< A pids cgroup. */
    cpu = RUNNER_MISSING_CPU,             /**< A cgroup that counts CPU time. */
    quota = RUNNER_MISSING_QUOTA,         /**< A CPU quota. */
    tree = RUNNER_MISSING_TREE            /**< What holds the processes of the run together. */
};

/** Controllers of cgroups, or'ed together. */
enum class controller : std::uint32_t {
    none = 0,                             /**< None. */
    cpu = RUNNER_CONTROLLER_CPU,          /**< cpu. */
    cpuacct = RUNNER_CONTROLLER_CPUACCT,  /**< cpuacct (v1). */
    memory = RUNNER_CONTROLLER_MEMORY,    /**< memory. */
    pids = RUNNER_CONTROLLER_PIDS,        /**< pids. */
    cpuset = RUNNER_CONTROLLER_CPUSET,    /**< cpuset. */
    io = RUNNER_CONTROLLER_IO,            /**< io (v2), blkio (v1). */
    freezer = RUNNER_CONTROLLER_FREEZER   /**< freezer (v1). */
};

/** @cond internals */
namespace detail {

template <class E>
inline constexpr bool is_flags = std::is_same_v<E, ns> || std::is_same_v<E, bind_flag> ||
                                 std::is_same_v<E, proc_flag> || std::is_same_v<E, missing> ||
                                 std::is_same_v<E, controller>;
template <class E>
using if_flags = std::enable_if_t<is_flags<E>, E>;

template <class E>
constexpr std::underlying_type_t<E> bits(E flags) noexcept {
    return static_cast<std::underlying_type_t<E>>(flags);
}

} // namespace detail
/** @endcond */

/** Both sets of flags together. */
template <class E>
constexpr detail::if_flags<E> operator|(E a, E b) noexcept {
    return static_cast<E>(detail::bits(a) | detail::bits(b));
}

/** What is in both sets of flags. */
template <class E>
constexpr detail::if_flags<E> operator&(E a, E b) noexcept {
    return static_cast<E>(detail::bits(a) & detail::bits(b));
}

/** Adds flags to a set of them. */
template <class E>
constexpr detail::if_flags<E> &operator|=(E &a, E b) noexcept {
    return a = a | b;
}

/** Whether all of `wanted` are in `flags`. */
template <class E>
constexpr std::enable_if_t<detail::is_flags<E>, bool> has(E flags, E wanted) noexcept {
    return (flags & wanted) == wanted;
}

/** "mount", "exec", ...; "unknown" for a number that the library does not know, as with its siblings. */
inline const char *name(stage value) noexcept { return runner_stage_name(detail::bits(value)); }
/** "finished", "time_limit", ... */
inline const char *name(verdict value) noexcept { return runner_verdict_name(detail::bits(value)); }
/** "OOM killer", "wall timer", ... */
inline const char *name(evidence value) noexcept { return runner_evidence_name(detail::bits(value)); }
/** "cgroup v2", "rusage", ... */
inline const char *name(source value) noexcept { return runner_source_name(detail::bits(value)); }
/** Of one flag: "memory", "CPU quota", ... */
inline const char *name(missing value) noexcept { return runner_missing_name(detail::bits(value)); }

/** The library's version: major << 16 | minor << 8 | patch. */
inline std::uint32_t version() noexcept { return runner_version(); }

/* ---- errors -------------------------------------------------------------------------------------------------- */

/** What failed, by value. True where something did. */
class error_info {
public:
    /** Nothing failed. */
    error_info() noexcept = default;

    /** Whether something failed. */
    explicit operator bool() const noexcept { return raw_.err != 0; }
    /** The errno, of the generic category: comparable with std::errc. */
    std::error_code code() const noexcept { return {raw_.err, std::generic_category()}; }
    /** Where a start was when it failed. */
    runner::stage stage() const noexcept { return static_cast<runner::stage>(raw_.stage); }
    /** Its name. */
    const char *stage_name() const noexcept { return runner_stage_name(raw_.stage); }
    /** Which element of the stage, from 0; -1 where there is none. */
    int index() const noexcept { return raw_.index; }
    /** A sentence for a person; empty where nothing failed. */
    const char *message() const noexcept { return raw_.message; }
    /** For calls of runner.h. */
    runner_error_t *raw() noexcept { return &raw_; }
    /** For calls of runner.h. */
    const runner_error_t *raw() const noexcept { return &raw_; }

    /** Nothing failed any more. */
    void clear() noexcept { *this = error_info(); }

private:
    runner_error_t raw_ = RUNNER_ERROR_INIT;
};

#ifdef __cpp_exceptions
/** What failed, as an exception. */
class error : public std::system_error {
public:
    /** From what a call has filled. */
    explicit error(const error_info &failed) : std::system_error(failed.code()), info_(failed) {
        // A call that was no start has no stage to name.
        if (info_.stage() == runner::stage::none)
            std::memcpy(what_, info_.message(), sizeof info_.raw()->message);
        else
            runner_error_format(info_.raw(), what_, sizeof what_);
    }

    /** `stage[index]: message (errno N)`. */
    const char *what() const noexcept override { return what_; }
    /** The same by value. */
    const error_info &info() const noexcept { return info_; }
    /** Where a start was when it failed; stage::none where it was no start. */
    runner::stage stage() const noexcept { return info_.stage(); }
    /** Its name. */
    const char *stage_name() const noexcept { return info_.stage_name(); }
    /** Which element of the stage, from 0; -1 where there is none. */
    int index() const noexcept { return info_.index(); }
    /** A sentence for a person. */
    const char *message() const noexcept { return info_.message(); }

private:
    error_info info_;
    char what_[320] = {};
};
#endif

/** @cond internals */
namespace detail {

#ifdef __cpp_exceptions
[[noreturn]] inline void raise(const error_info &failed) { throw error(failed); }
#else
[[noreturn, gnu::error("this build has no exceptions: use the form that takes a runner::error_info &")]] void
raise(const error_info &failed);
#endif

/* The throwing form of a call, from the other. */
template <class Call>
auto or_throw(Call call) -> decltype(call(std::declval<error_info &>())) {
    error_info failed;
    if constexpr (std::is_void_v<decltype(call(failed))>) {
        call(failed);
        if (failed)
            raise(failed);
    } else {
        auto value = call(failed);
        if (failed)
            raise(failed);
        return value;
    }
}

/* Fills an error that the library has not filled: `what: why`, cut where it is too long. */
inline void fill(error_info &failed, int err, stage where, int index, std::string_view what,
                 std::string_view why) noexcept {
    failed.clear();
    runner_error_t &raw = *failed.raw();
    raw.err = err;
    raw.stage = bits(where);
    raw.index = index;
    std::size_t used = 0;
    for (std::string_view part : {what, std::string_view(": "), why})
        used += part.copy(raw.message + used, sizeof raw.message - 1 - used);
}

/* Fills or resets an error by what a function of runner.h that fills none itself has returned, and passes it on.
 * What EINVAL means depends on the function. */
inline int outcome(error_info &failed, int returned, const char *call, const char *invalid) noexcept {
    if (returned >= 0)
        failed.clear();
    else
        fill(failed, -returned, stage::none, -1, call,
             returned == -EINVAL   ? invalid
             : returned == -ECHILD ? "it belongs to the process that this one was forked from"
                                   : std::strerror(-returned));
    return returned;
}

} // namespace detail
/** @endcond */

/* ---- arguments ----------------------------------------------------------------------------------------------- */

/** The type of runner::unlimited. */
struct unlimited_t {};
/** No limit, in the place of a number or a time. */
inline constexpr unlimited_t unlimited{};

/** An integer of any type, as the caller has it: one that does not fit its option is EINVAL, and never cut. */
class number {
    template <class T>
    static constexpr bool is_integer = (std::is_integral_v<T> && !std::is_same_v<T, bool> && sizeof(T) <= 8) ||
                                       (std::is_enum_v<T> && std::is_convertible_v<T, int>);

public:
    /** Any integer, or a constant of an enum of C. */
    template <class T, std::enable_if_t<is_integer<T>, int> = 0>
    constexpr number(T value) noexcept : bits_(static_cast<std::uint64_t>(value)) {
        if constexpr (!std::is_unsigned_v<T>)
            negative_ = value < T{};
    }
    /** The greatest that the option has. */
    constexpr number(unlimited_t) noexcept : bits_(UINT64_MAX), unlimited_(true) {}

    /** As a T, or nothing where it does not fit. */
    template <class T>
    constexpr std::optional<T> as() const noexcept {
        using limits = std::numeric_limits<T>;
        if (unlimited_)
            return limits::max();
        const auto least = static_cast<std::int64_t>(limits::min());
        const bool fits = negative_ ? least < 0 && static_cast<std::int64_t>(bits_) >= least
                                    : bits_ <= static_cast<std::uint64_t>(limits::max());
        return fits ? std::optional<T>(static_cast<T>(bits_)) : std::nullopt;
    }

private:
    std::uint64_t bits_;
    bool negative_ = false, unlimited_ = false;
};

/** A std::chrono::duration of any kind. A negative one is EINVAL; one of more than 292 years is no limit. */
class timespan {
public:
    /** Any duration; fractions of a nanosecond are dropped. */
    template <class Rep, class Period>
    constexpr timespan(std::chrono::duration<Rep, Period> time) noexcept {
        using seconds = std::chrono::duration<long double>;
        valid_ = time > time.zero() || time == time.zero(); // a NaN is neither, but >= too
        if (valid_ && seconds(time) < seconds(9.2e9L))
            ns_ = std::chrono::duration_cast<std::chrono::nanoseconds>(time);
    }
    /** For ever. */
    constexpr timespan(unlimited_t) noexcept {}

    /** Whether it is a time at all. */
    constexpr bool valid() const noexcept { return valid_; }
    /** Whether it has an end. */
    constexpr bool limited() const noexcept { return ns_ != ns_.max(); }
    /** How long. */
    constexpr std::chrono::nanoseconds time() const noexcept { return ns_; }

private:
    bool valid_ = true;
    std::chrono::nanoseconds ns_ = std::chrono::nanoseconds::max();
};

/** A string as the caller has it, borrowed for a call. A null pointer or a NUL inside is EINVAL. */
class text {
    template <class S, class = void>
    struct is_path : std::false_type {};
    template <class S>
    struct is_path<S, std::enable_if_t<std::is_convertible_v<decltype(std::declval<const S &>().native()),
                                                             std::string_view>>> : std::true_type {};
    template <class S>
    static constexpr bool is_string =
        std::is_convertible_v<const S &, std::string_view> && !std::is_convertible_v<const S &, const char *>;

public:
    /** A string of C. */
    text(const char *string) noexcept : text_(string ? std::string_view(string) : std::string_view()) {}
    /** A std::string, std::string_view or what becomes one. */
    template <class S, std::enable_if_t<is_string<S>, int> = 0>
    text(const S &string) noexcept(noexcept(std::string_view(string)))
        : text_(with_place(std::string_view(string))) {}
    /** A std::filesystem::path. */
    template <class P, std::enable_if_t<is_path<P>::value && !is_string<P>, int> = 0>
    text(const P &path) noexcept : text_(path.native()) {}

    /** Its bytes; without a place where it was a null pointer. */
    std::string_view view() const noexcept { return text_; }
    /** Why it cannot be a string of C; null where it can. */
    const char *wrong() const noexcept {
        if (!text_.data())
            return "a null pointer";
        return text_.find('\0') != text_.npos ? "a NUL in the string" : nullptr;
    }

private:
    /* An empty string_view may be without a place, and is a string all the same. */
    static std::string_view with_place(std::string_view string) noexcept { return string.data() ? string : ""; }

    std::string_view text_;
};

/** Bytes of any value as the caller has them. A literal ends at its first NUL: a ""sv does not. */
class bytes {
    template <class C>
    using if_bytes =
        std::enable_if_t<sizeof(*std::data(std::declval<const C &>())) == 1 && !std::is_array_v<C>, int>;

public:
    /** Where they are, and how many; null with 0 is an empty input too. */
    bytes(const void *data, std::size_t size) noexcept : data_(data || size ? data : ""), size_(size) {}
    /** A string of C; a null pointer is EINVAL. */
    bytes(const char *string) noexcept : data_(string), size_(string ? std::strlen(string) : SIZE_MAX) {}
    /** A string, vector or array of bytes. */
    template <class C, if_bytes<C> = 0>
    bytes(const C &container) noexcept : bytes(std::data(container), std::size(container)) {}

    /** Where they are. */
    const void *data() const noexcept { return data_; }
    /** How many. */
    std::size_t size() const noexcept { return size_; }

private:
    const void *data_;
    std::size_t size_;
};

/** Elements in a row as the caller has them, borrowed for a call: braces, a vector, an array, or pointer and size. */
template <class T>
class view {
    template <class C>
    using if_row =
        std::enable_if_t<std::is_convertible_v<decltype(std::data(std::declval<const C &>())), const T *>, int>;

public:
    /** None. */
    view() noexcept = default;
    /** Where they are, and how many. */
    view(const T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    /** Elements in braces. */
    view(std::initializer_list<T> list) noexcept : view(list.begin(), list.size()) {}
    /** A vector, an array. */
    template <class C, if_row<C> = 0>
    view(const C &container) noexcept : view(std::data(container), std::size(container)) {}

    /** Where they are. */
    const T *data() const noexcept { return data_; }
    /** How many. */
    std::size_t size() const noexcept { return size_; }

private:
    const T *data_ = nullptr;
    std::size_t size_ = 0;
};

/** A list of strings as the caller has it: braces, any range, or an array that ends with a null pointer (argv). */
class strings {
    template <class R>
    using if_range =
        std::enable_if_t<std::is_convertible_v<decltype(*std::begin(std::declval<const R &>())), text> &&
                             !std::is_convertible_v<const R &, text>, int>;

public:
    /** Strings in braces. */
    strings(std::initializer_list<text> list) { take(list); }
    /** An array that ends with a null pointer. */
    strings(const char *const *array) : wrong_(array ? nullptr : "a null pointer") {
        for (; array && *array; ++array)
            list_.emplace_back(*array);
    }
    /** A vector, a list, a set, ... of strings. */
    template <class R, if_range<R> = 0>
    strings(const R &range) {
        take(range);
    }

    /** Why it cannot be a list of strings of C; null where it can. */
    const char *wrong() const noexcept { return wrong_; }
    /** Which of them cannot; -1 for none. */
    int index() const noexcept { return index_; }
    /** As C has it; it points into this. */
    std::vector<const char *> array() const {
        std::vector<const char *> pointers;
        for (const std::string &string : list_)
            pointers.push_back(string.c_str());
        pointers.push_back(nullptr);
        return pointers;
    }

private:
    template <class R>
    void take(const R &range) {
        for (const text string : range) {
            if (!wrong_ && string.wrong()) {
                wrong_ = string.wrong();
                index_ = static_cast<int>(list_.size());
            }
            list_.emplace_back(string.view());
        }
    }

    std::vector<std::string> list_;
    const char *wrong_ = nullptr;
    int index_ = -1;
};

/** @cond internals */
namespace detail {

/* What a setter is given, on its way to C: what is wrong with it, and of a list where; and what C gets. */
template <class C, class Given>
struct carrier {
    C value;
    const char *wrong = nullptr;
    int index = -1;
    explicit carrier(Given given) noexcept : value(static_cast<C>(given)) {}
    C get() const noexcept { return value; }
};

template <class C>
struct carrier<C, number> {
    std::optional<C> value;
    const char *wrong;
    int index = -1;
    explicit carrier(number given) noexcept
        : value(given.as<C>()), wrong(value ? nullptr : "a number that is negative or too large") {}
    C get() const noexcept { return *value; }
};

template <>
struct carrier<std::uint64_t, timespan> {
    timespan time;
    const char *wrong;
    int index = -1;
    explicit carrier(timespan given) noexcept
        : time(given), wrong(given.valid() ? nullptr : "a negative time, or none") {}
    std::uint64_t get() const noexcept {
        return time.limited() ? static_cast<std::uint64_t>(time.time().count()) : UINT64_MAX;
    }
};

template <>
struct carrier<const char *, text> {
    std::string copy;
    const char *wrong;
    int index = -1;
    explicit carrier(text given) : copy(given.view()), wrong(given.wrong()) {}
    const char *get() const noexcept { return copy.c_str(); }
};

/* A string that may be a null pointer in C too. */
struct maybe {
    text given;
};

template <>
struct carrier<const char *, maybe> : carrier<const char *, text> {
    bool null;
    explicit carrier(maybe string)
        : carrier<const char *, text>(string.given), null(!string.given.view().data()) {
        if (null)
            wrong = nullptr;
    }
    const char *get() const noexcept { return null ? nullptr : copy.c_str(); }
};

template <>
struct carrier<const char *const *, strings> {
    std::vector<const char *> array;
    const char *wrong;
    int index;
    explicit carrier(const strings &given) : array(given.array()), wrong(given.wrong()), index(given.index()) {}
    const char *const *get() const noexcept { return array.data(); }
};

} // namespace detail
/** @endcond */

/* ---- what is told -------------------------------------------------------------------------------------------- */

/** What became of a run, and its figures. */
class result {
public:
    /** Of nothing yet. */
    result() noexcept = default;

    /** How it ended; verdict::none while it runs. */
    runner::verdict verdict() const noexcept { return static_cast<runner::verdict>(raw_.verdict); }
    /** What decided the verdict. */
    runner::evidence evidence() const noexcept { return static_cast<runner::evidence>(raw_.evidence); }
    /** Whether it ended by itself, with exit code 0. */
    bool ok() const noexcept { return verdict() == runner::verdict::finished && raw_.exit_code == 0; }
    /** The exit code of the first process, 0 to 255; -1 where it has none. */
    int exit_code() const noexcept { return raw_.exit_code; }
    /** The signal that ended the first process; 0 for none. */
    int signal() const noexcept { return raw_.signal; }

    /** From the program's exec to its end as it was seen. */
    std::chrono::nanoseconds wall() const noexcept { return time(raw_.wall_ns); }
    /** CPU time, user and system together, of the whole tree where cpu_source() is a cgroup. */
    std::chrono::nanoseconds cpu() const noexcept { return time(raw_.cpu_ns); }
    /** CPU time in user mode. */
    std::chrono::nanoseconds user() const noexcept { return time(raw_.user_ns); }
    /** CPU time in the kernel. */
    std::chrono::nanoseconds system() const noexcept { return time(raw_.system_ns); }
    /** From the call to the program's exec. */
    std::chrono::nanoseconds setup() const noexcept { return time(raw_.setup_ns); }
    /** Where the CPU times come from. */
    runner::source cpu_source() const noexcept { return static_cast<runner::source>(raw_.cpu_source); }

    /** The most memory at once, in bytes. */
    std::uint64_t memory_peak() const noexcept { return raw_.memory_peak; }
    /** Where it comes from. */
    runner::source memory_source() const noexcept { return static_cast<runner::source>(raw_.memory_source); }
    /** The most processes and threads at once. */
    std::uint64_t processes_peak() const noexcept { return raw_.processes_peak; }
    /** Where it comes from. */
    runner::source processes_source() const noexcept { return static_cast<runner::source>(raw_.processes_source); }
    /** How many processes the OOM killer took, by whichever limit. */
    std::uint32_t oom_kills() const noexcept { return raw_.oom_kills; }
    /** How often a fork or a thread was refused because of the process limit. */
    std::uint64_t process_limit_hits() const noexcept { return raw_.process_limit_hits; }

    /** Bytes kept, of all captured fds together. */
    std::uint64_t output_bytes() const noexcept { return raw_.output_bytes; }
    /** Whether more was written to a captured fd than was to be kept. */
    bool output_cut() const noexcept { return raw_.output_cut != 0; }
    /** The first such fd; -1 for none. */
    int output_fd() const noexcept { return raw_.output_fd; }
    /** What limits and figures had to do without. */
    runner::missing missing() const noexcept { return static_cast<runner::missing>(raw_.missing); }
    /** Why something is missing, or the launch failed; empty where there is nothing to say. */
    const char *reason() const noexcept { return raw_.reason; }

    /** What command::run() has captured, by fd. Empty in the results of a process, which has process::output(). */
    const std::map<int, std::string> &outputs() const noexcept { return outputs_; }
    /** What command::run() has captured of this fd; EINVAL where it has not captured it. */
    const std::string &output(int child_fd = STDOUT_FILENO) const;
    /** The same; null where it failed. */
    const std::string *output(int child_fd, error_info &failed) const noexcept {
        const auto found = outputs_.find(child_fd);
        const int returned = found == outputs_.end() ? -EINVAL : 0;
        detail::outcome(failed, returned, "output", "this fd is not captured");
        return failed ? nullptr : &found->second;
    }

    /** For calls of runner.h. */
    runner_result_t *raw() noexcept { return &raw_; }

private:
    friend class command;
    static std::chrono::nanoseconds time(std::uint64_t ns) noexcept {
        return std::chrono::nanoseconds(static_cast<std::chrono::nanoseconds::rep>(ns));
    }

    runner_result_t raw_ = RUNNER_RESULT_INIT;
    std::map<int, std::string> outputs_;
};

/** What this machine offers to this process: see runner::probe(). */
class machine {
public:
    /** Not probed. */
    machine() noexcept = default;

    /** The kernel's version: major << 16 | minor. */
    std::uint32_t kernel() const noexcept { return raw_.kernel; }
    /** clone3(2). */
    bool clone3() const noexcept { return raw_.clone3 != 0; }
    /** A process can be born in its cgroup. */
    bool into_cgroup() const noexcept { return raw_.into_cgroup != 0; }
    /** pidfds from clone. */
    bool pidfd() const noexcept { return raw_.pidfd != 0; }
    /** close_range(2). */
    bool close_range() const noexcept { return raw_.close_range != 0; }
    /** mount_setattr(2): read-only binds with everything beneath them. */
    bool mount_setattr() const noexcept { return raw_.mount_setattr != 0; }
    /** openat2(2): targets that cannot lead out of the new root. */
    bool openat2() const noexcept { return raw_.openat2 != 0; }
    /** Time namespaces. */
    bool time_namespace() const noexcept { return raw_.time_namespace != 0; }
    /** A user namespace can be made, and gives capabilities (tried). */
    bool user_namespace() const noexcept { return raw_.user_namespace != 0; }
    /** All other namespaces can be made without one (tried). */
    bool privileged_namespaces() const noexcept { return raw_.privileged_namespaces != 0; }
    /** seccomp filters. */
    bool seccomp() const noexcept { return raw_.seccomp != 0; }
    /** Landlock's ABI version; 0: none. */
    std::uint32_t landlock() const noexcept { return raw_.landlock; }
    /** A cgroup v2 hierarchy is mounted. */
    bool cgroup_v2() const noexcept { return raw_.cgroup_v2 != 0; }
    /** A cgroup v1 hierarchy with a controller is mounted. */
    bool cgroup_v1() const noexcept { return raw_.cgroup_v1 != 0; }
    /** Cgroups can be made beneath this process's own in v2. */
    bool cgroup_v2_writable() const noexcept { return raw_.cgroup_v2_writable != 0; }
    /** What children of this process's v2 cgroup can be given. */
    controller controllers_v2() const noexcept { return static_cast<controller>(raw_.controllers_v2); }
    /** What is mounted of v1. */
    controller controllers_v1() const noexcept { return static_cast<controller>(raw_.controllers_v1); }
    /** Those of v1 in which cgroups can be made. */
    controller controllers_v1_writable() const noexcept {
        return static_cast<controller>(raw_.controllers_v1_writable);
    }
    /** What watched runs would have to do without. */
    missing runs_miss() const noexcept { return static_cast<missing>(raw_.runs_miss); }
    /** Why something above is missing and what to do, a sentence a line. */
    const char *blocker() const noexcept { return raw_.blocker; }

    /** For calls of runner.h. */
    runner_probe_t *raw() noexcept { return &raw_; }

private:
    runner_probe_t raw_ = RUNNER_PROBE_INIT;
};

/** Finds out what this machine offers, by trying it: see runner_probe(). */
inline machine probe(error_info &failed) noexcept {
    machine found;
    detail::outcome(failed, runner_probe(found.raw()), "probe", "a header of another library");
    return found;
}
/** The same; throws. */
inline machine probe() {
    return detail::or_throw([](error_info &failed) { return probe(failed); });
}

/* ---- what was started ---------------------------------------------------------------------------------------- */

/** A file descriptor that is closed at the end of its life. */
class descriptor {
public:
    /** None. */
    descriptor() noexcept = default;
    /** Takes this one over; -1: none. */
    explicit descriptor(int fd) noexcept : fd_(fd) {}
    /** Leaves none behind. */
    descriptor(descriptor &&other) noexcept : fd_(other.release()) {}
    /** Closes its own first. */
    descriptor &operator=(descriptor &&other) noexcept {
        if (this != &other) {
            close();
            fd_ = other.release();
        }
        return *this;
    }
    ~descriptor() { close(); }

    /** Its number; -1: none. */
    int get() const noexcept { return fd_; }
    /** Gives it away. */
    int release() noexcept { return std::exchange(fd_, -1); }
    /** Closes it; nothing, where there is none. */
    void close() noexcept {
        if (fd_ >= 0)
            ::close(release());
    }

private:
    int fd_ = -1;
};

/** A program that was started and is not watched. */
struct started {
    /** A child of this process, to be waited for with waitpid(2). */
    pid_t pid = -1;
    /** With it the child can be waited for and signalled without a race. */
    descriptor pidfd;
};

/** A held start, from command::hold(). What is not resumed is aborted. */
class held {
public:
    /** None. */
    held() noexcept = default;

    /** Whether there is one. */
    explicit operator bool() const noexcept { return handle_ != nullptr; }

    /** The pid of the held process. */
    pid_t pid() const {
        return detail::or_throw([this](error_info &failed) { return pid(failed); });
    }
    /** The same; negative where it failed. */
    pid_t pid(error_info &failed) const noexcept {
        return detail::outcome(failed, runner_held_pid(handle_.get()), "pid", empty);
    }

    /** A pidfd of the held process, the handle's own. */
    int pidfd() const {
        return detail::or_throw([this](error_info &failed) { return pidfd(failed); });
    }
    /** The same; negative where it failed. */
    int pidfd(error_info &failed) const noexcept {
        return detail::outcome(failed, runner_held_pidfd(handle_.get()), "pidfd", empty);
    }

    /** Lets it execute its program, and ends the handle, whatever the result: the pid, to be waited for. */
    pid_t resume() {
        return detail::or_throw([this](error_info &failed) { return resume(failed); });
    }
    /** The same; negative where it failed. */
    pid_t resume(error_info &failed) noexcept {
        if (!handle_)
            return detail::outcome(failed, -EINVAL, "resume", empty);
        failed.clear();
        return runner_held_resume(handle_.release(), failed.raw());
    }

    /** Kills and reaps it; nothing, where there is none. */
    void abort() noexcept { handle_.reset(); }

private:
    friend class command;
    struct aborter {
        void operator()(runner_held_t *handle) const noexcept { runner_held_abort(handle); }
    };
    static constexpr const char *empty = "there is no held start (any more)";
    std::unique_ptr<runner_held_t, aborter> handle_;
};

/**
 * A watched run, from command::spawn(). Its limits are enforced and its output is taken in by whoever waits for it,
 * or calls step() whenever fd() is readable. What still runs at the end of its life is killed, the whole tree.
 */
class process {
public:
    /** None. */
    process() noexcept = default;

    /** Whether there is one. */
    explicit operator bool() const noexcept { return run_ != nullptr; }

    /** The pid of the first process. Once the run has finished, the number may be another process's. */
    pid_t pid() const {
        return detail::or_throw([this](error_info &failed) { return pid(failed); });
    }
    /** The same; negative where it failed. */
    pid_t pid(error_info &failed) const noexcept {
        return call(failed, "pid", [](runner_process_t *handle) { return runner_process_pid(handle); });
    }

    /** The fd for a poll, epoll or event loop: readable when step() has something to do. It is the handle's own: take
     * it out of the loop before the handle ends. */
    int fd() const {
        return detail::or_throw([this](error_info &failed) { return fd(failed); });
    }
    /** The same; negative where it failed. */
    int fd(error_info &failed) const noexcept {
        return call(failed, "fd", [](runner_process_t *handle) { return runner_process_fd(handle); });
    }

    /** Does what is due, without blocking: the result, once the run has finished. */
    std::optional<result> step() {
        return detail::or_throw([this](error_info &failed) { return step(failed); });
    }
    /** The same; nothing where it failed. */
    std::optional<result> step(error_info &failed) noexcept {
        std::optional<result> ended(std::in_place);
        const auto step = [&](runner_process_t *handle) { return runner_process_step(handle, ended->raw()); };
        if (call(failed, "step", step) != 1)
            ended.reset();
        return ended;
    }

    /** Waits for the end. */
    result wait() {
        return detail::or_throw([this](error_info &failed) { return wait(failed); });
    }
    /** The same; a result of nothing where it failed. */
    result wait(error_info &failed) noexcept { return wait_for(unlimited, failed).value_or(result()); }

    /** Waits for the end, so long at most: nothing, where it goes on. Less than no time is EINVAL. */
    std::optional<result> wait_for(timespan time) {
        return detail::or_throw([&](error_info &failed) { return wait_for(time, failed); });
    }
    /** The same; nothing where it failed. */
    std::optional<result> wait_for(timespan time, error_info &failed) noexcept {
        if (!time.valid()) {
            detail::outcome(failed, -EINVAL, "wait_for", "a negative time, or none");
            return {};
        }
        const auto now = clock::now();
        const bool ends = time.time() < clock::time_point::max() - now;
        return wait_until(ends ? now + time.time() : clock::time_point::max(), failed);
    }

    /** Waits for the end, until then at most: nothing, where it goes on. A time that is over: as step(). */
    std::optional<result> wait_until(std::chrono::steady_clock::time_point then) {
        return detail::or_throw([&](error_info &failed) { return wait_until(then, failed); });
    }
    /** The same; nothing where it failed. */
    std::optional<result> wait_until(std::chrono::steady_clock::time_point then, error_info &failed) noexcept {
        // Not runner_process_wait(): output() of another thread copies under a lock, which no wait may hold.
        for (;;) {
            std::optional<result> ended = step(failed);
            if (ended || failed || !sleep_until(then))
                return ended;
        }
    }

    /** Kills the whole tree, which a wait then tells. Nothing, where the run has finished. Any thread may. */
    void kill() {
        detail::or_throw([this](error_info &failed) { kill(failed); });
    }
    /** The same; does not throw. */
    void kill(error_info &failed) noexcept {
        call(failed, "kill", [](runner_process_t *handle) { return runner_process_kill(handle); });
    }

    /** The figures so far, or at the end. */
    result usage() const {
        return detail::or_throw([this](error_info &failed) { return usage(failed); });
    }
    /** The same; a result of nothing where it failed. */
    result usage(error_info &failed) const noexcept {
        result so_far;
        call(failed, "usage", [&](runner_process_t *handle) { return runner_process_usage(handle, so_far.raw()); });
        return so_far;
    }

    /** What was captured of the program's fd so far. EINVAL: this fd is not captured. */
    std::string output(int child_fd = STDOUT_FILENO) const {
        return detail::or_throw([&](error_info &failed) { return output(child_fd, failed); });
    }
    /** The same; empty where it failed. */
    std::string output(int child_fd, error_info &failed) const {
        std::string copy;
        call(failed, "output", [&](runner_process_t *handle) {
            const void *data = nullptr;
            std::size_t size = 0;
            const int returned = runner_process_output(handle, child_fd, &data, &size);
            if (returned == 0)
                copy.assign(static_cast<const char *>(data), size);
            return returned;
        });
        return copy;
    }

    /** Kills what still runs, the whole tree, and frees the run. Nothing, where there is none. */
    void close() noexcept { run_.reset(); }

private:
    friend class command;
    using clock = std::chrono::steady_clock;

    struct run {
        runner_process_t *handle = nullptr;
        std::mutex mutex;
        const pid_t owner = ::getpid();

        run() = default;
        run(const run &) = delete;
        run &operator=(const run &) = delete;
        ~run() { runner_process_free(handle); }
    };

    explicit process(std::unique_ptr<run> started) noexcept : run_(std::move(started)) {}

    /* Calls the library, one thread at a time. */
    template <class Call>
    int call(error_info &failed, const char *name, Call function) const {
        std::unique_lock<std::mutex> lock;
        // In a fork of the host another thread may have held it for ever.
        if (run_ && run_->owner == ::getpid())
            lock = std::unique_lock<std::mutex>(run_->mutex);
        const char *invalid = run_ ? "this fd is not captured" : "there is no run (any more)";
        return detail::outcome(failed, function(run_ ? run_->handle : nullptr), name, invalid);
    }

    /* False: the time is over. True, early too: there may be something to do. */
    bool sleep_until(clock::time_point then) const noexcept {
        int ms = -1;
        if (then != clock::time_point::max()) {
            using std::chrono::milliseconds;
            const auto left = std::chrono::ceil<milliseconds>(then - clock::now());
            if (left <= left.zero())
                return false;
            const milliseconds longest = std::chrono::hours(24);
            ms = static_cast<int>((left < longest ? left : longest).count());
        }
        pollfd readable = {runner_process_fd(run_->handle), POLLIN, 0};
        ::poll(&readable, 1, ms);
        return true;
    }

    std::unique_ptr<run> run_;
};

/* ---- what to start ------------------------------------------------------------------------------------------- */

/**
 * The options of a run, and the ways to start it. Each setter is the one of runner.h with the same name, without
 * runner_, set_ and add_, and gives the command back, so that they can be written in a row. A copy is independent,
 * but names the same fds. (In the place of runner_set_sync_func() there is hold().)
 */
class command {
public:
    /** Without a program yet. */
    command() noexcept : handle_(runner_new()) {
        if (!handle_)
            problem_ = {"command", "no memory", ENOMEM, -1};
    }
    /** The program, a path, and its arguments, in braces. */
    command(std::initializer_list<text> arguments) : command() { args(arguments); }
    /** The program, a path, and its arguments: a vector, argv + 1. */
    explicit command(const strings &arguments) : command() { args(arguments); }
    /** A program without arguments. */
    explicit command(text program) : command() { args({program}); }

    /** A copy, by runner_clone(). */
    command(const command &other)
        : handle_(runner_clone(other.handle_.get())), captured_(other.captured_), problem_(other.problem_) {}
    /** Leaves an empty one behind. */
    command(command &&other) noexcept = default;
    /** A copy, by runner_clone(). */
    command &operator=(const command &other) {
        if (this != &other)
            *this = command(other);
        return *this;
    }
    /** Leaves an empty one behind. */
    command &operator=(command &&other) noexcept = default;
    ~command() = default;

    /** Throws what is wrong with the arguments so far. */
    void check() const {
        detail::or_throw([this](error_info &failed) { check(failed); });
    }
    /** The same by value. */
    void check(error_info &failed) const noexcept {
        failed.clear();
        if (problem_.option)
            detail::fill(failed, problem_.err, stage::options, problem_.index, problem_.option, problem_.why);
        else if (!handle_)
            detail::fill(failed, EINVAL, stage::options, -1, "command", empty);
    }

    /** For calls of runner.h that are not here. */
    runner_t *raw() noexcept { return handle_.get(); }

    /** The program and its arguments; the first is a path, not searched. */
    command &args(const strings &arguments) { return set("args", runner_set_args, arguments); }
    /** The whole environment, NAME=value each. By default it is empty. */
    command &env(const strings &variables) { return set("env", runner_set_env, variables); }
    /** Executes the file behind an fd; -1: the path again. */
    command &exec_fd(number fd) { return set("exec_fd", runner_set_exec_fd, fd); }
    /** The program's fds: which fd of the host, or -1, each of them is. By default 0, 1 and 2 are /dev/null. */
    command &files(view<int> fds) { return set("files", runner_set_files, fds.data(), fds.size()); }
    /** Allows a directory as fd 0, 1 or 2. */
    command &allow_directory_files(bool allow = true) {
        return set("allow_directory_files", runner_set_allow_directory_files, allow);
    }
    /** The working directory, inside the new root. */
    command &workdir(text path) { return set("workdir", runner_set_workdir, path); }

    /** Which namespaces are new. */
    command &unshare(ns namespaces) { return set("unshare", runner_set_unshare_flags, namespaces); }
    /** The same as CLONE_NEW* of <sched.h>. */
    command &unshare(number flags) { return set("unshare", runner_set_unshare_flags, flags); }
    /** The host name (ns::uts). */
    command &hostname(text name) { return set("hostname", runner_set_hostname, name); }
    /** The NIS domain name (ns::uts). */
    command &domainname(text name) { return set("domainname", runner_set_domainname, name); }
    /** Brings lo up (ns::net). */
    command &loopback_up(bool on = true) { return set("loopback_up", runner_set_loopback_up, on); }
    /** An empty session keyring instead of this process's. */
    command &new_session_keyring(bool on = true) {
        return set("new_session_keyring", runner_set_new_session_keyring, on);
    }
    /** Makes the cgroup namespace after the hold. */
    command &unshare_cgroup_after_sync(bool on = true) {
        return set("unshare_cgroup_after_sync", runner_set_unshare_cgroup_after_sync, on);
    }

    /** Adds a line to the user id map (ns::user). */
    command &uid_mapping(number inside, number outside, number count = 1) {
        return set("uid_mapping", runner_add_uid_mapping, inside, outside, count);
    }
    /** Adds a line to the group id map (ns::user). */
    command &gid_mapping(number inside, number outside, number count = 1) {
        return set("gid_mapping", runner_add_gid_mapping, inside, outside, count);
    }
    /** Forgets both id maps. */
    command &clear_mappings() { return set("clear_mappings", runner_clear_mappings); }
    /** Whether setgroups(2) is allowed in the new user namespace. */
    command &allow_setgroups(bool allow = true) { return set("allow_setgroups", runner_set_allow_setgroups, allow); }
    /** Who the program runs as, with exactly these supplementary groups. */
    command &credential(number uid, number gid, view<std::uint32_t> groups = {}) {
        return set("credential", runner_set_credential, uid, gid, groups.data(), groups.size());
    }
    /** It runs as the caller. */
    command &clear_credential() { return set("clear_credential", runner_clear_credential); }

    /** Adds a limit: RLIMIT_* of <sys/resource.h>. */
    command &rlimit(number resource, number soft, number hard) {
        return set("rlimit", runner_add_rlimit, resource, soft, hard);
    }
    /** Forgets these limits. */
    command &clear_rlimits() { return set("clear_rlimits", runner_clear_rlimits); }

    /** No exec can gain privileges. */
    command &no_new_privs(bool on = true) { return set("no_new_privs", runner_set_no_new_privs, on); }
    /** Drops every capability for good. */
    command &drop_caps(bool on = true) { return set("drop_caps", runner_set_drop_caps, on); }
    /** Drops every capability but those in the mask. */
    command &keep_caps(number mask) { return set("keep_caps", runner_keep_caps, mask); }
    /** Loads a filter: struct sock_filter of <linux/filter.h>. */
    command &seccomp(view<::sock_filter> filter) {
        return set("seccomp", runner_set_seccomp, filter.data(), number(filter.size()));
    }
    /** Forgets the filter. */
    command &clear_seccomp() { return set("clear_seccomp", runner_clear_seccomp); }
    /** The thread that starts it traces it. */
    command &ptrace(bool on = true) { return set("ptrace", runner_set_ptrace, on); }
    /** It stops before the filter is loaded. */
    command &stop_before_seccomp(bool on = true) {
        return set("stop_before_seccomp", runner_set_stop_before_seccomp, on);
    }

    /** The cgroup v2 directory, by an fd, in which it is born; -1: none. */
    command &cgroup_fd(number fd) { return set("cgroup_fd", runner_set_cgroup_fd, fd); }
    /** A cgroup by its path: one of v2, and one of each hierarchy of v1. */
    command &cgroup_path(text path) { return set("cgroup_path", runner_set_cgroup_path, path); }
    /** Forgets these cgroups. */
    command &clear_cgroups() { return set("clear_cgroups", runner_clear_cgroups); }

    /** Fd 0 becomes its controlling terminal. */
    command &ctty(bool on = true) { return set("ctty", runner_set_ctty, on); }
    /** Its session. */
    command &session(runner::session kind) { return set("session", runner_set_session, kind); }
    /** The signal that it gets when the thread that started it ends; 0: none. */
    command &death_signal(number signal) { return set("death_signal", runner_set_death_signal, signal); }
    /** The file mode creation mask. */
    command &umask(number mask) { return set("umask", runner_set_umask, mask); }
    /** The nice value. */
    command &nice(number value) { return set("nice", runner_set_nice, value); }
    /** How willingly the OOM killer takes it. */
    command &oom_score_adj(number value) { return set("oom_score_adj", runner_set_oom_score_adj, value); }
    /** The CPUs on which it may run. */
    command &cpu_affinity(view<std::uint32_t> cpus) {
        return set("cpu_affinity", runner_set_cpu_affinity, cpus.data(), cpus.size());
    }
    /** The execution domain: ADDR_NO_RANDOMIZE of <sys/personality.h>. */
    command &personality(number persona) { return set("personality", runner_set_personality, persona); }
    /** SCHED_* of <sched.h>, and its priority. */
    command &scheduler(number policy, number priority = 0) {
        return set("scheduler", runner_set_scheduler, policy, priority);
    }

    /** A root of its own, mounted over this directory: the pieces below, in their order (ns::mount). */
    command &pivot_root(text path) { return set("pivot_root", runner_set_pivot_root, path); }
    /** Leaves the root's top writable. */
    command &root_writable(bool writable = true) { return set("root_writable", runner_set_root_writable, writable); }
    /** Adds a mount, as mount(2) takes it; source, type and data may be nullptr. */
    command &mount(text source, text target, text type, number flags, text data = nullptr) {
        using detail::maybe;
        return set("mount", runner_add_mount, maybe{source}, target, maybe{type}, flags, maybe{data});
    }
    /** Adds a file or directory of the host. */
    command &bind(text from, text target, bind_flag flags = bind_flag::ro | bind_flag::rec) {
        return set("bind", runner_add_bind, from, target, flags);
    }
    /** Adds an empty writable directory of at most so many bytes; 0: half of the memory. */
    command &tmpfs(text target, number size, number mode = 01777) {
        return set("tmpfs", runner_add_tmpfs, target, size, mode);
    }
    /** Adds the /proc of the new pid namespace (ns::pid). */
    command &proc(text target = "proc", proc_flag flags = proc_flag::mask) {
        return set("proc", runner_add_proc, target, flags);
    }
    /** Adds a minimal /dev. */
    command &dev(text target = "dev") { return set("dev", runner_add_dev, target); }
    /** Adds a directory. */
    command &dir(text path, number mode = 0755) { return set("dir", runner_add_dir, path, mode); }
    /** Adds a symbolic link at `path` that leads to `to`. */
    command &symlink(text to, text path) { return set("symlink", runner_add_symlink, to, path); }
    /** Adds a small file. */
    command &file(text path, bytes contents, number mode = 0644) {
        return set("file", runner_add_file, path, contents.data(), contents.size(), mode);
    }
    /** Forgets the pieces of the root. */
    command &clear_root() { return set("clear_root", runner_clear_root); }

    /** How long the run may last. This and all that follows is for run() and spawn() only. */
    command &wall_limit(timespan time) { return set("wall_limit", runner_set_wall_limit, time); }
    /** How much CPU time it may use, all its processes together. */
    command &cpu_limit(timespan time) { return set("cpu_limit", runner_set_cpu_limit, time); }
    /** How much memory it may use, all its processes together, in bytes. */
    command &memory_limit(number size) { return set("memory_limit", runner_set_memory_limit, size); }
    /** How many processes and threads it may have at once. */
    command &process_limit(number n) { return set("process_limit", runner_set_process_limit, n); }
    /** How many bytes it may write, to all captures together and to any one file. */
    command &output_limit(number size) { return set("output_limit", runner_set_output_limit, size); }
    /** How much of a CPU it gets at most, in percent. */
    command &cpu_quota(number percent) { return set("cpu_quota", runner_set_cpu_quota, percent); }
    /** What it reads from fd 0, copied. */
    command &stdin_bytes(bytes input) {
        return set("stdin_bytes", runner_set_stdin_bytes, input.data(), input.size());
    }
    /** Its fd 0 is again what files() says. */
    command &clear_stdin_bytes() {
        return set("clear_stdin_bytes", runner_set_stdin_bytes, static_cast<const void *>(nullptr), std::size_t{0});
    }
    /** Keeps what it writes to this fd; more ends it. */
    command &capture(number child_fd, number size) { return keep("capture", runner_capture, child_fd, size); }
    /** Keeps the head of what it writes to this fd, and drops the rest. */
    command &capture_head(number child_fd, number size) {
        return keep("capture_head", runner_capture_head, child_fd, size);
    }
    /** Where the cgroups of runs are made; of each hierarchy the last one counts. */
    command &cgroup_root(text path) { return set("cgroup_root", runner_set_cgroup_root, path); }
    /** Forgets every limit, the input, the captures and the cgroup roots. */
    command &clear_limits() {
        captured_.clear();
        return set("clear_limits", runner_clear_limits);
    }

    /** Starts it, waits for its end, and tells what became of it and what was captured. */
    result run() const {
        return detail::or_throw([this](error_info &failed) { return run(failed); });
    }
    /** The same; where it failed to start, a result with verdict::launch_error. */
    result run(error_info &failed) const {
        process running = spawn(failed);
        result ended;
        if (!failed)
            ended = running.wait(failed);
        if (failed)
            return not_launched(failed);
        for (int fd : captured_)
            ended.outputs_.emplace(fd, running.output(fd, failed));
        return ended;
    }

    /** Starts it to be watched. */
    [[nodiscard]] process spawn() const {
        return detail::or_throw([this](error_info &failed) { return spawn(failed); });
    }
    /** The same; an empty one where it failed. */
    [[nodiscard]] process spawn(error_info &failed) const {
        check(failed);
        if (failed)
            return process();
        auto run = std::make_unique<process::run>();
        run->handle = runner_spawn(handle_.get(), failed.raw());
        return failed ? process() : process(std::move(run));
    }

    /** Only starts it: the pid of a child of this process, to be waited for with waitpid(2). */
    [[nodiscard]] pid_t start() const {
        return detail::or_throw([this](error_info &failed) { return start(failed); });
    }
    /** The same; negative where it failed. */
    [[nodiscard]] pid_t start(error_info &failed) const noexcept {
        check(failed);
        return failed ? -failed.code().value() : runner_start(handle_.get(), failed.raw());
    }

    /** Only starts it: its pid and a pidfd. */
    [[nodiscard]] started start_pidfd() const {
        return detail::or_throw([this](error_info &failed) { return start_pidfd(failed); });
    }
    /** The same; a pid of -1 where it failed. */
    [[nodiscard]] started start_pidfd(error_info &failed) const noexcept {
        started child;
        int pidfd = -1;
        check(failed);
        if (!failed && runner_start_pidfd(handle_.get(), &child.pid, &pidfd, failed.raw()) == 0)
            child.pidfd = descriptor(pidfd);
        return child;
    }

    /** Starts it up to the step right before its exec, and holds it there. */
    [[nodiscard]] held hold() const {
        return detail::or_throw([this](error_info &failed) { return hold(failed); });
    }
    /** The same; an empty one where it failed. */
    [[nodiscard]] held hold(error_info &failed) const noexcept {
        held holding;
        runner_held_t *handle = nullptr;
        check(failed);
        if (!failed && runner_start_held(handle_.get(), &handle, failed.raw()) == 0)
            holding.handle_.reset(handle);
        return holding;
    }

    /** Which system calls a start would make, one a line. Nothing is started. */
    std::string explain() const {
        return detail::or_throw([this](error_info &failed) { return explain(failed); });
    }
    /** The same; empty where no start is possible. */
    std::string explain(error_info &failed) const {
        std::string lines;
        check(failed);
        if (failed)
            return lines;
        // Its length may be another the next time, since it depends on the process too.
        for (;;) {
            const int length = runner_explain(handle_.get(), lines.data(), lines.size() + 1);
            if (detail::outcome(failed, length, "explain", "no start is possible with these options") < 0)
                return {};
            const bool fits = static_cast<std::size_t>(length) <= lines.size();
            lines.resize(static_cast<std::size_t>(length));
            if (fits)
                return lines;
        }
    }

private:
    struct freer {
        void operator()(runner_t *handle) const noexcept { runner_free(handle); }
    };
    /* The first argument that cannot be right. */
    struct problem {
        const char *option = nullptr;
        const char *why = nullptr;
        int err = 0;
        int index = -1;
    };

    template <class... C, class... Given>
    command &set(const char *option, int (*setter)(runner_t *, C...), const Given &...given) {
        return apply(option, setter, detail::carrier<C, Given>(given)...);
    }

    template <class Setter, class... Carrier>
    command &apply(const char *option, Setter setter, const Carrier &...carrier) {
        if ((... && fits(option, carrier)))
            note(option, "the library refuses it", -setter(handle_.get(), carrier.get()...), -1);
        return *this;
    }

    template <class Carrier>
    bool fits(const char *option, const Carrier &carrier) noexcept {
        note(option, carrier.wrong, carrier.wrong ? EINVAL : 0, carrier.index);
        return !carrier.wrong;
    }

    void note(const char *option, const char *why, int err, int index) noexcept {
        if (err != 0 && !problem_.option)
            problem_ = {option, handle_ ? why : empty, err, index};
    }

    command &keep(const char *option, int (*setter)(runner_t *, int, std::uint64_t), number child_fd, number size) {
        set(option, setter, child_fd, size);
        const int fd = child_fd.as<int>().value_or(-1);
        if (!problem_.option)
            captured_.insert(fd);
        return *this;
    }

    static result not_launched(const error_info &failed) noexcept {
        result none;
        runner_result_t *raw = none.raw();
        raw->verdict = RUNNER_VERDICT_LAUNCH_ERROR;
        raw->evidence = RUNNER_EVIDENCE_LAUNCH;
        raw->exit_code = raw->output_fd = -1;
        std::memcpy(raw->reason, failed.message(), std::strlen(failed.message()));
        return none;
    }

    static constexpr const char *empty = "it was moved from";
    std::unique_ptr<runner_t, freer> handle_;
    std::set<int> captured_;
    problem problem_;
};

inline const std::string &result::output(int child_fd) const {
    return *detail::or_throw([&](error_info &failed) { return output(child_fd, failed); });
}

} // namespace runner

#endif /* RUNNER_HPP */
