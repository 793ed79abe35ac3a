"""coreops: push-based provisioning and orchestration over SSH for CoreOS-style clusters.

The tree reads as the pipeline: ``inventory`` and ``playbook`` turn files into tasks, ``modules`` turn tasks into
steps, ``shell`` compiles steps into POSIX sh, ``transport`` carries it, ``engine`` drives hosts through it.
"""

__version__ = "0.1.0.dev0"
