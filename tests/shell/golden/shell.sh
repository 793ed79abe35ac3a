# shellcheck shell=sh disable=SC2016
co_start 1 1
co_shell 1 p1.t1.0 600 - / 'uname -n' -
co_shell 2 p1.t2.0 1 o /tmp - 'export A='\''x
y'\''
echo '\''it'\'''
co_shell 3 p1.t3.0 600 i / p a 2
co_shell 4 p1.t4.0 600 ckw / - a
co_finish
