# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: file step /etc/d {'kind': 'directory', 'mode': '0o755', 'content': None, 'force': True}
