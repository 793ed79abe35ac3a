"""The keys of cloud-init 22.4 as data, in the notation of ``shapes``: what its schema takes, and what Debian runs.

From cloud-init's ``schema-cloud-config-v1.json`` and Debian's ``/etc/cloud/cloud.cfg``. Knows nothing of documents.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from coreops.cloudconfig.validate.shapes import Shape, table, words

_PARTS: Final = {
    "words": "[text] 1+",
    "command": "text | [text]",
    "mirror": "[{arches!: $words, uri: uri, search: [uri] 1+, search_dns: bool, keyid: text, key: text, "
    "keyserver: text}] 1+",
    "certs": "{remove-defaults~: bool, remove_defaults: bool, trusted: $words} 1+",
    "play": "{playbook_name: text, playbook_dir: text, become_password_file: text, connection_password_file: text, "
    "list_hosts: bool, syntax_check: bool, timeout: number 0+, vault_id: text, vault_password_file: text, "
    "background: number 0+, check: bool, diff: bool, module_path: text, poll: number 0+, args: text, "
    "extra_vars: text, forks: number 0+, inventory: text, scp_extra_args: text, sftp_extra_args: text, "
    "private_key: text, connection: text, module_name: text, sleep: text, tags: text, skip_tags: text, *: any}",
    "pull": "{accept_host_key: bool, clean: bool, full: bool, diff: bool, ssh_common_args: text, scp_extra_args: text, "
    "sftp_extra_args: text, private_key: text, checkout: text, module_path: text, timeout: text, url!: text, "
    "connection: text, vault_id: text, vault_password_file: text, module_name: text, sleep: text, tags: text, "
    "skip_tags: text, playbook_name!: text}",
    "size": r"/([0-9]+)?\.?[0-9]+[BKMGT]/",
    "user": "{name: text, expiredate: date, gecos: text, groups: text | $words | {*: null~} 1+, homedir: text, "
    "inactive: text, lock-passwd~: bool, lock_passwd: bool, no_create_home: bool, no_log_init: bool, "
    "no_user_group: bool, passwd: text, hashed_passwd: text, plain_text_passwd: text, create_groups: bool, "
    "primary_group: text, selinux_user: text, shell: text, snapuser: text, ssh_authorized_keys: $words, "
    "ssh_import_id: $words, ssh_redirect_user: bool, system: bool, sudo: text | null | bool~, uid: int | text~}",
    "event": "{type!: 'log', level: 'DEBUG' | 'INFO' | 'WARN' | 'ERROR' | 'FATAL'} | {type!: 'print'} | "
    "{type!: 'webhook', endpoint!: uri, consumer_key: text, token_key: text, token_secret: text, "
    "consumer_secret: text, timeout: number 0+, retries: int 0+} | "
    "{type!: 'hyperv', kvp_file_path: text, event_types: [text]}",
    "proxy": "uri | null",
    "modules": "[text | []]",
}
_TOP: Final = {
    "allow_public_ssh_keys": "bool",
    "ansible": "{install_method: 'distro' | 'pip', run_user: text, ansible_config: text, setup_controller: "
    "{repositories: [{path!: text, source!: text}], run_ansible: [$play]}, "
    "galaxy: {actions!: [[text]]}, package_name: text, pull: $pull}",
    "apk_repos": "{preserve_repositories: bool, alpine_repo: {base_url: text, community_enabled: bool, "
    "testing_enabled: bool, version!: text} 1+ | null, local_repo_base_url: text} 1+",
    "apt": "{preserve_sources_list: bool, generate_mirrorlists: bool, disable_suites: [text] 1+ unique, "
    "primary: $mirror, security: $mirror, add_apt_repo_match: text, debconf_selections: {*: text} 1+, "
    "sources_list: text, conf: text, https_proxy: text, http_proxy: text, proxy: text, ftp_proxy: text, sources: "
    "{*: {source: text, keyid: text, key: text, keyserver: text, filename: text, append: bool} 1+}} 1+",
    "apt_pipelining": "int | bool | 'none' | 'unchanged' | 'os'",
    "authkey_hash": "text",
    "autoinstall": "{version!: int, *: any}",
    "bootcmd": "[text | [text]] 1+",
    "byobu_by_default": "'enable-system' | 'enable-user' | 'disable-system' | 'disable-user' | 'enable' | 'disable' "
    "| 'user' | 'system'",
    "ca_certs": "$certs",
    "chef": "{directories: [text] 1+ unique, validation_cert: text, validation_key: text, firstboot_path: text, "
    "exec: bool, client_key: text, encrypted_data_bag_secret: text, environment: text, file_backup_path: text, "
    "file_cache_path: text, json_attribs: text, log_level: text, log_location: text, node_name: text, "
    "omnibus_url: text, omnibus_url_retries: int, omnibus_version: text, pid_file: text, server_url: text, "
    "show_time: bool, ssl_verify_mode: text, validation_name: text, force_install: bool, "
    "initial_attributes: {*: any}, install_type: 'packages' | 'gems' | 'omnibus', run_list: [text], "
    "chef_license: text} 1+",
    "chpasswd": "{expire: bool, users: [{name!: text, type!: 'RANDOM'} | "
    "{name!: text, type: 'hash' | 'text', password!: text}] 1+, list~: text | [/.+:.+/] 1+}",
    "cloud_config_modules": "$modules",
    "cloud_final_modules": "$modules",
    "cloud_init_modules": "$modules",
    "device_aliases": "{*: text}",
    "disable_ec2_metadata": "bool",
    "disable_root": "bool",
    "disable_root_opts": "text",
    "disk_setup": "{*: {table_type: 'mbr' | 'gpt', layout: 'remove' | bool | [int | [int] 2-2], overwrite: bool}}",
    "drivers": "{nvidia: {license-accepted!: bool, version: text}}",
    "fan": "{config!: text, config_path: text}",
    "final_message": "text",
    "fqdn": "text",
    "fs_setup": "[{label: text, filesystem: text, device: text, partition: 'auto' | 'any' | 'none', "
    "overwrite: bool, replace_fs: text, extra_opts: $command, cmd: $command}]",
    "groups": "[text | {*: text | $words}] 1+ | {*: text | $words}",
    "growpart": "{mode: 'auto' | 'growpart' | 'gpart' | 'off' | false~, devices: [text], "
    "ignore_growroot_disabled: bool}",
    "grub_dpkg": "{enabled: bool, 'grub-pc/install_devices': text, 'grub-pc/install_devices_empty': bool | text~}",
    "hostname": "text",
    "keyboard": "{layout!: text, model: text, variant: text, options: text}",
    "landscape": "{client!: {url: text, ping_url: text, data_path: text, log_level: 'debug' | 'info' | 'warning' | "
    "'error' | 'critical', computer_title: text, account_name: text, registration_key: text, "
    "tags: /[-_0-9a-zA-Z]+(,[-_0-9a-zA-Z]+)*/, http_proxy: text, https_proxy: text, *: any}}",
    "locale": "text",
    "locale_configfile": "text",
    "lxd": "{init: {network_address: text, network_port: int, storage_backend: 'zfs' | 'dir' | 'lvm' | 'btrfs', "
    "storage_create_device: text, storage_create_loop: int, storage_pool: text, trust_password: text}, "
    "bridge: {mode!: 'none' | 'existing' | 'new', name: text, mtu: int -1+, ipv4_address: text, ipv4_netmask: int, "
    "ipv4_dhcp_first: text, ipv4_dhcp_last: text, ipv4_dhcp_leases: int, ipv4_nat: bool, ipv6_address: text, "
    "ipv6_netmask: int, ipv6_nat: bool, domain: text}, preseed: text} 1+",
    "manage_etc_hosts": "bool | 'localhost' | 'template'~",
    "manage_resolv_conf": "bool",
    "mcollective": "{conf: {public-cert: text, private-cert: text, *: bool | int | text}}",
    "migrate": "bool",
    "mount_default_fields": "[text | null] 6-6",
    "mounts": "[[text] 1-6] 1+",
    "no_ssh_fingerprints": "bool",
    "ntp": "{pools: [host] unique, servers: [host] unique, ntp_client: text, enabled: bool, config: {confpath: text, "
    "check_exe: text, packages: [text] unique, service_name: text, template: text} 1+} | null",
    "package_reboot_if_required": "bool",
    "package_update": "bool",
    "package_upgrade": "bool",
    "packages": "[text | [text] 2-2] 1+",
    "password": "text",
    "phone_home": "{url!: uri, post: 'all' | ['pub_key_dsa' | 'pub_key_rsa' | 'pub_key_ecdsa' | 'pub_key_ed25519' | "
    "'instance_id' | 'hostname' | 'fqdn'], tries: int}",
    "power_state": "{delay: int 0+ | 'now' | /\\+?[0-9]+/~, mode!: 'poweroff' | 'reboot' | 'halt', message: text, "
    "timeout: int, condition: text | bool | []}",
    "prefer_fqdn_over_hostname": "bool",
    "preserve_hostname": "bool",
    "puppet": "{install: bool, version: text, install_type: 'packages' | 'aio', collection: text, "
    "aio_install_url: text, cleanup: bool, conf_file: text, ssl_dir: text, csr_attributes_path: text, "
    "package_name: text, exec: bool, exec_args: [text], start_service: bool, conf: {main: {*: any}, "
    "server: {*: any}, agent: {*: any}, user: {*: any}, ca_cert: text}, "
    "csr_attributes: {custom_attributes: {*: any}, extension_requests: {*: any}}}",
    "random_seed": "{file: text, data: text, encoding: 'raw' | 'base64' | 'b64' | 'gzip' | 'gz', command: [text], "
    "command_required: bool}",
    "reporting": "{*: $event}",
    "resize_rootfs": "bool | 'noblock'",
    "resolv_conf": "{nameservers: [], searchdomains: [], domain: text, sortlist: [], options: {*: any}}",
    "rh_subscription": "{username: text, password: text, activation-key: text, org: int, auto-attach: bool, "
    "service-level: text, add-pool: [text], enable-repo: [text], disable-repo: [text], rhsm-baseurl: text, "
    "server-hostname: text}",
    "rsyslog": "{config_dir: text, config_filename: text, configs: [text | {filename: text, content!: text}], "
    "remotes: {*: any}, service_reload_command: 'auto' | [text]}",
    "runcmd": "[text | [text] | null] 1+",
    "salt_minion": "{pkg_name: text, service_name: text, config_dir: text, conf: {*: any}, grains: {*: any}, "
    "public_key: text, private_key: text, pki_dir: text}",
    "snap": "{assertions: [text] 1+ unique | {*: text} 1+, commands: [text | [text]] 1+ | {*: $command} 1+} 1+",
    "spacewalk": "{server: text, proxy: text, activation_key: text}",
    "ssh": "{emit_keys_to_console!: bool}",
    "ssh_authorized_keys": "$words",
    "ssh_deletekeys": "bool",
    "ssh_fp_console_blacklist": "[text] unique",
    "ssh_genkeytypes": "['dsa' | 'ecdsa' | 'ed25519' | 'rsa'] 1+",
    "ssh_import_id": "[text]",
    "ssh_key_console_blacklist": "[text] unique",
    "ssh_keys": "{*/^(dsa|ecdsa|ed25519|rsa)_(public|private|certificate)$/: text}",
    "ssh_publish_hostkeys": "{enabled: bool, blacklist: [text]}",
    "ssh_pwauth": "bool | text~",
    "ssh_quiet_keygen": "bool",
    "swap": "{filename: text, size: 'auto' | int | $size, maxsize: int | $size}",
    "timezone": "text",
    "ubuntu_advantage": "{enable: [text], enable_beta: [text], token: text, features: {disable_auto_attach: bool}, "
    "config: {http_proxy: $proxy, https_proxy: $proxy, global_apt_http_proxy: $proxy, "
    "global_apt_https_proxy: $proxy, ua_apt_http_proxy: $proxy, ua_apt_https_proxy: $proxy, *: any}}",
    "updates": "{network: {when!: ['boot-new-instance' | 'boot-legacy' | 'boot' | 'hotplug']}}",
    "user": "text | $user",
    "users": "[text | [text] | $user] 1+ | text | {*: any}",
    "vendor_data": "{enabled: bool | text~, prefix: text | [text | int]}",
    "wireguard": "{interfaces!: [{name: text, config_path: text, content: text}] 1+, readinessprobe: [text] unique} 1+ "
    "| null",
    "write_files": "[{path!: text, content: text, owner: text, permissions: text, encoding: 'gz' | 'gzip' | "
    "'gz+base64' | 'gzip+base64' | 'gz+b64' | 'gzip+b64' | 'b64' | 'base64' | 'text/plain', append: bool, "
    "defer: bool}] 1+",
    "yum_repo_dir": "text",
    "yum_repos": "{*/^[0-9a-zA-Z -_]+$/: {baseurl!: uri, name: text, enabled: bool, "
    "*/^[0-9a-zA-Z_]+$/: int | bool | text}} 1+",
    "zypper": "{repos: [{id!: text, baseurl!: uri, *: any}] 1+, config: {*: any}, *: any} 1+",
}
_OLD: Final = {
    "apt_reboot_if_required": "bool",
    "apt_update": "bool",
    "apt_upgrade": "bool",
    "ca-certs": "$certs",
    "grub-dpkg": "{*: any}",
}
KNOWN: Final = frozenset({*_TOP, *_OLD})
"""The keys at the left margin."""
UNCHECKED: Final = words(
    "apt_mirror apt_mirror_search apt_preserve_sources_list apt_proxy apt_sources datasource datasource_list "
    "debug def_log_file log_base log_cfgs logcfg manual_cache_clean merge_how merge_type network_config "
    "output runcmd_in_bootcmd scripts_user syslog_fix_perms system_info unverified_modules vendor_data2 "
    "warnings"
)
"""Keys that cloud-init reads and that its schema does not hold: taken as they are."""
NOT_RUN: Final = words(
    "ansible apk_repos autoinstall drivers manage_resolv_conf resolv_conf rh_subscription spacewalk "
    "ubuntu_advantage wireguard yum_repo_dir yum_repos zypper"
)
"""Keys of modules that Debian's cloud.cfg does not list, or that run on other distributions only."""


@cache
def cloud_config() -> Shape:
    """The shape of a document."""
    fields = [f"{name}: {notation}" for name, notation in _TOP.items()]
    fields += [f"{name}~: {notation}" for name, notation in _OLD.items()]
    return table({**_PARTS, "all": "{" + ", ".join(fields) + "}"})["all"]
