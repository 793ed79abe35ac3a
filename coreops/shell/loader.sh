# shellcheck shell=sh
# The coreops loader: the one command a run starts on a node. It reads frames from stdin and evaluates them.
#
# A frame is a header line `coreops1 NONCE BYTES USER RUN LINES` followed by BYTES bytes of sh. USER is `-` for this
# shell, `~login` for the user who came in over SSH, or a user name. LINES is 0, or how many lines the bytes are: few
# enough for the shell to read them byte by byte, which then costs less than starting dd. Lines that are no header (a
# sudo password that sudo did not ask for) are skipped. It must be given in sh's argument, never on stdin: dash reads
# ahead.
LC_ALL=C.UTF-8 PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin
export LC_ALL PATH
umask 022
cd / || exit 1
while IFS= read -r co_header; do
  case $co_header in 'coreops1 '*) ;; *) continue ;; esac
  # shellcheck disable=SC2086 # the header is words by contract
  set -- $co_header
  co_n=$2 co_len=$3 co_user=$4 co_run=$5 co_few=$6
  if [ "$co_user" = - ]; then
    if [ "$co_few" -gt 0 ]; then
      co_frame=''
      while [ "$co_few" -gt 0 ]; do
        IFS= read -r co_header || exit 1
        co_frame="$co_frame$co_header
"
        co_few=$((co_few - 1))
      done
    else
      co_frame=$(dd bs="$co_len" count=1 iflag=fullblock 2>/dev/null) || exit 1
    fi
    eval "$co_frame"
    continue
  fi
  [ "$co_user" != '~login' ] || co_user=${SUDO_USER:-root}
  export co_n co_len co_run
  # shellcheck disable=SC2016 # expanded by the inner shell
  co_inner='co_frame=$(dd bs="$co_len" count=1 iflag=fullblock 2>/dev/null) || exit 1; eval "$co_frame"'
  if ! id "$co_user" >/dev/null 2>&1; then
    dd bs="$co_len" count=1 iflag=fullblock >/dev/null 2>&1
    printf '\036%s z nouser %s\n' "$co_n" "$co_user"
  elif command -v runuser >/dev/null 2>&1; then
    (eval "HOME=~$co_user" && export HOME && cd / && exec runuser -u "$co_user" -- sh -c "$co_inner") || exit 1
  else
    (eval "HOME=~$co_user" && export HOME && cd / && exec su -m -s /bin/sh "$co_user" -c "$co_inner") || exit 1
  fi
done
