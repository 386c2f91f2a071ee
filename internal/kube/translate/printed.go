package translate

import "fmt"

// lastApplied is where kubectl keeps what it has applied last.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// printed takes out what a cluster prints of an object and only that cluster knows: another one refuses an object with it (uid, resourceVersion,
// managedFields), or takes it for an orphan and deletes it (ownerReferences).
func printed(w *work) {
	const why = "only the cluster that printed it knows it"
	for _, k := range []string{"managedFields", "resourceVersion", "uid"} {
		w.remove(why, "metadata", k)
	}
	w.remove("it is about the cluster that kubectl applied it to", join(annotations, lastApplied)...)
	owners := w.list("metadata", "ownerReferences")
	if len(owners) == 0 {
		return
	}
	first, _ := owners[0].(map[string]any)
	w.at("metadata", "ownerReferences").note(
		fmt.Sprintf("%v %v made it, which the new cluster does not know: it would take it for an orphan and delete it, so it belongs to nobody there.", first["kind"], first["name"]),
		"leave it out of the source where its owner makes it anew")
	w.remove(why, "metadata", "ownerReferences")
}

// clusterAddress takes out the address of a Service: it is of the old cluster's range, and the new cluster refuses one that is not of its own.
func clusterAddress(w *work) {
	ip := w.text("spec", "clusterIP")
	if ip == "" || ip == "None" {
		return
	}
	w.at("spec", "clusterIP").note("Its address "+ip+" is of the old cluster's range; the new cluster gives it another one.", "see that whoever calls it does so by its name")
	w.remove("an address of the old cluster", "spec", "clusterIP")
	w.remove("an address of the old cluster", "spec", "clusterIPs")
}
