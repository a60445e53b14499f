# shellcheck shell=bash disable=SC2154 # the script that reads this sets run_dir and log_dir
# Ground for the scripts beside it: messages, tables, ports, locks, and processes that outlive the shell that started them.
# Everything here works with bash 3.2 and without GNU tools, which is what macOS has.

say() { printf '%s\n' "$*" >&2; }

# die says what is wrong and what to do about it.
die() {
  say "error: $*"
  exit 1
}

# usage_error is for what a corrected command line or environment would cure.
usage_error() {
  say "error: $*"
  exit 2
}

# table aligns tab-separated lines; the first is the heading.
table() {
  awk -F'\t' '
    { rows[NR] = $0; for (i = 1; i <= NF; i++) if (length($i) > width[i]) width[i] = length($i) }
    END {
      for (r = 1; r <= NR; r++) {
        n = split(rows[r], cell, "\t"); line = ""
        for (i = 1; i <= n; i++) line = line (i < n ? sprintf("%-" width[i] "s  ", cell[i]) : cell[i])
        print line
      }
    }'
}

# --- Ports ---------------------------------------------------------------------------------------------------------------

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# port_owner names the process that listens on a port, as far as this user may know.
port_owner() {
  local owner=""
  if command -v ss >/dev/null; then
    owner=$(ss -ltnpH "sport = :$1" 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1 (pid \2)/p' | head -1)
  fi
  if [ -z "$owner" ] && command -v lsof >/dev/null; then
    owner=$(lsof -nP -Fpc -iTCP:"$1" -sTCP:LISTEN 2>/dev/null | awk '/^p/ { p = substr($0, 2) } /^c/ { print substr($0, 2) " (pid " p ")"; exit }')
  fi
  printf '%s' "${owner:-another process (its owner may be another user)}"
}

# busy_ports prints a line, with a line break before it, for each "VARIABLE PORT" pair whose port is taken.
busy_ports() {
  while [ $# -gt 0 ]; do
    if port_open "$2"; then
      printf '\n  port %s is in use by %s; set %s to another port' "$2" "$(port_owner "$2")" "$1"
    fi
    shift 2
  done
}

# http_get prints what a server of this machine answers, headers and all, without needing curl.
http_get() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$2" >&3
    cat <&3
  ) 2>/dev/null
}

# --- Locks ---------------------------------------------------------------------------------------------------------------

# lock_fd takes the kernel's lock on an open file descriptor; it goes with the process, however that ends.
# macOS has no flock command, but its perl has the call.
lock_fd() {
  local fd=$1 file=$2
  if try_lock "$fd" n; then return; fi
  say "waiting for another run that holds $file"
  try_lock "$fd" w || die "locking $file: neither flock nor perl could do it"
}

try_lock() {
  if command -v flock >/dev/null; then
    if [ "$2" = n ]; then flock -n "$1"; else flock "$1"; fi
  else
    perl -e 'use Fcntl ":flock"; open(my $f, ">>&=", $ARGV[0]) or die; exit(flock($f, $ARGV[1] eq "n" ? LOCK_EX | LOCK_NB : LOCK_EX) ? 0 : 1)' "$1" "$2"
  fi
}

# --- Processes -----------------------------------------------------------------------------------------------------------
# A started process is recorded in $run_dir/NAME as "pid birth address ui": with the time of birth, a pid that the system has
# given to somebody else since is never taken for ours.

# birth prints what tells a process from a later one with its pid, or fails if it has ended.
birth() {
  local stat
  if [ -r /proc/self/stat ]; then
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) } # the name before it may hold spaces; what follows begins with field 3, the state
    # shellcheck disable=SC2086
    set -- $stat
    case $1 in Z | X) return 1 ;; esac
    printf '%s@%s' "${20}" "$(cut -c1-8 /proc/sys/kernel/random/boot_id)"
  else
    stat=$(ps -o state= -o lstart= -p "$1" 2>/dev/null) || return 1
    case $stat in Z*) return 1 ;; esac
    printf '%s' "$stat" | sed 's/^[^ ]* *//; s/ *$//; s/ /_/g'
  fi
}

# start_process NAME ADDRESS UI COMMAND… runs a command detached from this shell, its output in $log_dir/NAME.log, and adds
# its name to the file $started_list, if that is set. ADDRESS or UI may be "-".
start_process() {
  local name=$1 address=$2 ui=$3 log pid
  shift 3
  mkdir -p "$run_dir" "$log_dir"
  log=$log_dir/$name.log
  if [ -f "$log" ]; then mv "$log" "$log.1"; fi
  # 8 and 9 are the locks: a daemon that inherited them would hold them for ever.
  if command -v setsid >/dev/null; then
    setsid "$@" >"$log" 2>&1 </dev/null 8>&- 9>&- &
  else
    nohup "$@" >"$log" 2>&1 </dev/null 8>&- 9>&- &
  fi
  pid=$!
  printf '%s %s %s %s\n' "$pid" "$(birth "$pid" || echo ended)" "$address" "$ui" >"$run_dir/$name"
  if [ -n "${started_list:-}" ]; then echo "$name" >>"$started_list"; fi
}

# recorded NAME FIELD prints the pid, birth, address or ui of a process that was started, or fails if none is recorded.
# shellcheck disable=SC2034 # the fields are read by name
recorded() {
  local pid birth address ui
  [ -f "$run_dir/$1" ] || return 1
  read -r pid birth address ui <"$run_dir/$1"
  printf '%s' "${!2}"
}

alive() {
  local pid
  pid=$(recorded "$1" pid) && [ "$(birth "$pid")" = "$(recorded "$1" birth)" ]
}

# stop_processes NAME… asks them to end, all at once, waits, and kills what is left after 20 seconds.
stop_processes() {
  local name
  for name in "$@"; do signal_process TERM "$name"; done
  for name in "$@"; do
    if ! ended_within 20 "$name"; then
      say "$name did not end within 20 s: killing it"
      signal_process KILL "$name"
      ended_within 5 "$name" || say "error: $name does not go away, even killed"
    fi
    rm -f "$run_dir/$name"
  done
}

signal_process() {
  if alive "$2"; then kill "-$1" "$(recorded "$2" pid)" 2>/dev/null || true; fi
}

ended_within() {
  local deadline=$((SECONDS + $1))
  while alive "$2"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}

# process_listens tells whether the port in a started process's record is open.
process_listens() {
  local address
  address=$(recorded "$1" address) || return 1
  if [ "$address" = - ]; then address=$(recorded "$1" ui); fi
  port_open "${address##*:}"
}

# state_of NAME is one of: down, crashed, up, not answering.
state_of() {
  if [ ! -f "$run_dir/$1" ]; then
    echo down
  elif ! alive "$1"; then
    echo crashed
  elif process_listens "$1"; then
    echo up
  else
    echo "not answering"
  fi
}

# wait_until NAME SECONDS WHAT COMMAND… waits until the command succeeds, and gives up as soon as process NAME has ended.
wait_until() {
  local name=$1 seconds=$2 what=$3 deadline
  shift 3
  deadline=$((SECONDS + seconds))
  until "$@"; do
    if ! alive "$name"; then
      say "error: $name ended before $what"
    elif [ "$SECONDS" -ge "$deadline" ]; then
      say "error: $name is running, but after $seconds s still not: $what"
    else
      sleep 0.2
      continue
    fi
    say "the last lines of $log_dir/$name.log:"
    tail -n 15 "$log_dir/$name.log" | sed 's/^/    /' >&2
    return 1
  done
}
