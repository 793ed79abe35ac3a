# shellcheck shell=sh
# shellcheck disable=SC2153 # PATHS and PATCH are not PATH
# What is asked of Kubernetes, by the kubectl that is part of k3s, on a server; one function is called at the end.
# Values come by the environment. None of them is a secret: kubectl finds its credentials in k3s's own kubeconfig.
set -f
PATH=$PATH:/opt/bin:/usr/local/bin
nl='
'
tab='	'

kubectl() { k3s kubectl --request-timeout=30s "$@"; }

# PATHS: each answer on one line, all of them packed, because a list of pods is long and says the same words often.
get() {
    answers=''
    for path in $PATHS; do
        body=$(kubectl get --raw "$path") || exit 2
        answers=$answers$body$nl
    done
    printf '%s' "$answers" | gzip -c
}

# NODE, PATCH: a JSON merge patch, all of it or nothing of it.
patch() { kubectl patch node "$NODE" --type=merge -p "$PATCH" -o name; }

# PODS: "namespace name uid" a line. The uid keeps a pod that has come back under the same name from being evicted again.
# Says "namespace/name exit-code first-line-of-the-error" a line; that one pod may not go now is not a failure of this.
evict() {
    printf '%s\n' "$PODS" | while read -r namespace name uid; do
        said=$(
            printf '{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"%s","namespace":"%s"},%s}\n' \
                "$name" "$namespace" "\"deleteOptions\":{\"preconditions\":{\"uid\":\"$uid\"}}" |
                kubectl create --raw "/api/v1/namespaces/$namespace/pods/$name/eviction" -f - 2>&1 >/dev/null
        )
        code=$?
        printf '%s\n' "$namespace/$name$tab$code$tab${said%%"$nl"*}"
    done
}

# NODE: the node, and the password that a machine with its name would have to know.
forget() {
    kubectl delete node "$NODE" --ignore-not-found --wait=false &&
        kubectl -n kube-system delete secret "$NODE.node-password.k3s" --ignore-not-found --wait=false
}
