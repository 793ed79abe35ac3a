"""What nodes tell of themselves in the store: ``/coreops/nodes/<machine-id>``, under a lease that each keeps alive.

``settings`` reads what the inventory wants registered; ``phase`` has bootstrap install it, which is the playbook
``registration.yml``; ``record`` is the format; ``readers`` and ``watch`` ask the store what there is and what changes.
"""
