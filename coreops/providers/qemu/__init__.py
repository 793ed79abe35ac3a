"""Boots nodes in QEMU: real kernels from the slot, real firmware, and a disk with CoreOS's two USR slots.

The pipeline: recipe -> image (initramfs, uki, esp) -> a copy of its disk per node -> machine.
"""
