# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t.0: file step /etc/x/tree {'kind': 'directory', 'mode': None, 'content': None, 'force': True}
# t.1: file step /etc/x/tree/sub {'kind': 'directory', 'mode': None, 'content': None, 'force': True}
# t.2: file step /etc/x/tree/sub/f {'kind': 'file', 'mode': None, 'content': '252f10c83610', 'force': True}
