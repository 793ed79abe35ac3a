"""Judges what Debian's and Ubuntu's cloud-init reads, from 22.4 on."""
