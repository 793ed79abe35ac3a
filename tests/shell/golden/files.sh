# shellcheck shell=sh disable=SC2016
co_start '' ''
co_f 1 /etc/app directory '41ed:a*:s*:u*:Uroot:g0:G*' - 0 00755 - root 0 - -
co_f 2 '/etc/app/it'\''s' file '8180:a*:s*:u*:U*:g*:G*' 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03 6 0600 066 - - - -
co_f 3 /opt/p file '81ed:a*:s*:u*:U*:g*:G*' e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 0755 - - - l -
co_files
co_f 4 '/etc/app/it'\''s' file '8???:a*:s*:u*:Ua\*b:g*:G*' - 0 - 022 'a*b' - i -
co_f 5 /opt/l link - - 0 - 022 - - - '-x $(y)'
co_files
co_f 6 /opt/l absent - - 0 - 022 - - - -
co_files
co_f 7 /opt/l/x directory '4???:a*:s*:u*:U*:g*:G*' - 0 - 022 - - ns -
co_files
co_finish
