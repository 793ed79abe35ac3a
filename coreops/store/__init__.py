"""etcd on the nodes: certificates, artifact, bootstrap, membership.

``quorum``, ``members`` and ``preflight`` decide and are pure; ``pki`` and ``artifact`` work on the controller's files;
``observe`` and ``etcdctl`` say what to ask a node; ``bootstrap`` drives ``phases`` through the engine.
"""
