package translate

import (
	"slices"
	"strconv"
	"strings"

	"github.com/bascule/bascule/internal/kube/decision"
)

const (
	ebs       = "ebs.csi.aws.com"
	ebsInTree = "kubernetes.io/aws-ebs"
	efs       = "efs.csi.aws.com"
	disks     = "pd.csi.storage.gke.io"
	fsType    = "csi.storage.k8s.io/fstype"
)

var params = []string{"parameters"}

// storage are the rows about classes, claims and volumes. The order matters: what is asked about a type comes before the provisioner is another.
func storage() []Rule {
	kind := []string{"StorageClass"}
	return []Rule{
		{ID: "storage-volume", Source: "PersistentVolumes with bytes of EBS or EFS, and claims bound to them", Target: "stripped: per claim replicate again, copy by a hook, or start empty", Verdict: None, Kinds: []string{"PersistentVolume", "PersistentVolumeClaim"}, Apply: volume},
		{ID: "storage-shared-files", Source: "efs.csi.aws.com", Target: "filestore.csi.storage.gke.io", Verdict: Changed, Kinds: kind, Apply: sharedFiles},
		{ID: "storage-object-files", Source: "fsx.csi.aws.com, s3.csi.aws.com", Target: "Lustre, or gcsfuse.csi.storage.gke.io", Verdict: None, Kinds: []string{"StorageClass", "CSIDriver"}, Apply: objectFiles},
		{ID: "storage-provisioned", Source: "io1, io2 with iops or iopsPerGB", Target: "pd-ssd, or hyperdisk with IOPS", Verdict: Changed, Kinds: kind, Apply: typed("io1", "io2")},
		{ID: "storage-cold", Source: "st1, sc1, standard", Target: "pd-standard", Verdict: Changed, Kinds: kind, Apply: typed("st1", "sc1", "standard")},
		{ID: "storage-general", Source: "gp2, gp3", Target: "pd-balanced, or hyperdisk-balanced with gp3's iops and throughput", Verdict: Changed, Kinds: kind, Apply: typed("gp2", "gp3", "")},
		{ID: "storage-encryption", Source: "encrypted, kmsKeyId", Target: "disk-encryption-kms-key", Verdict: Resource, Kinds: kind, Apply: encryption},
		{ID: "storage-filesystem", Source: "fsType, csi.storage.k8s.io/fstype", Target: fsType, Verdict: Mechanical, Kinds: kind, Apply: filesystem},
		{ID: "storage-regional", Source: "one class for several zones", Target: "replication-type: regional-pd", Verdict: Changed, Kinds: kind, Apply: regional},
		{ID: "storage-zones", Source: "allowedTopologies of topology.ebs.csi.aws.com/zone", Target: "topology.gke.io/zone", Verdict: Changed, Kinds: kind, Apply: classZones},
		{ID: "storage-provisioner", Source: "provisioner kubernetes.io/aws-ebs, ebs.csi.aws.com", Target: disks, Verdict: Mechanical, Kinds: kind, Apply: provisioner},
		{ID: "storage-class-name", Source: "claims of a class that the source's platform brought along (gp2, gp3)", Target: "a class of the same name", Verdict: Mechanical, Kinds: []string{"PersistentVolumeClaim", "StatefulSet"}, Apply: className},
	}
}

func (w *work) blockClass() bool { p := w.text("provisioner"); return p == ebs || p == ebsInTree }

// typed translates the parameters of a class of one of the types.
func typed(types ...string) func(*work) {
	return func(w *work) {
		kind := w.text("parameters", "type")
		if !w.blockClass() || !slices.Contains(types, kind) {
			return
		}
		if kind == "" {
			kind = map[string]string{ebs: "gp3", ebsInTree: "gp2"}[w.text("provisioner")] // what the drivers make without a word
		}
		disk := w.in.Profile.Disk(kind)
		if disk == nil {
			return
		}
		to, iops, throughput := disk.To, w.text("parameters", "iops"), w.text("parameters", "throughput")
		if kind == "gp3" && (iops != "" || throughput != "") {
			to = "hyperdisk-balanced"
			w.rate("provisioned-iops-on-create", iops, "")
			w.rate("provisioned-throughput-on-create", throughput, "Mi")
		}
		w.set("for "+kind, to, "parameters", "type")
		w.at("parameters").note(kind+" becomes "+to+": "+disk.Note+".", "see that its machines can attach it: generation 4 (n4, c4) takes Hyperdisk, generation 2 (n2, c2) Persistent Disk; from GKE 1.35.3 on the class dynamic-rwo fits both generations, for new volumes")
		for _, p := range []string{"iops", "iopsPerGB", "iopsPerGb", "throughput", "allowAutoIOPSPerGBIncrease", "blockExpress", "blockSize"} {
			if v := w.text("parameters", p); v != "" && (p == "iopsPerGB" || p == "iopsPerGb") {
				w.at("parameters", p).note("It asked for "+v+" IOPS for each GB of a claim; "+to+" gives what follows from the size.", "compute the IOPS of each claim (size times "+v+"), and take pd-extreme or hyperdisk-extreme where pd-ssd gives less")
			}
			w.remove("a parameter of EBS", join(params, p)...)
		}
	}
}

func (w *work) rate(key, value, unit string) {
	if value != "" {
		w.set("as the class had it", value+unit, "parameters", key)
	}
}

func encryption(w *work) {
	if !w.blockClass() {
		return
	}
	w.remove("Google encrypts every disk", "parameters", "encrypted")
	key := w.text("parameters", "kmsKeyId")
	if key == "" {
		return
	}
	if to := w.in.Decisions.Keys[key]; to != "" {
		w.set("it stands for the key of KMS", to, "parameters", "disk-encryption-kms-key")
		w.needs("Disks are encrypted with "+to+".", "grant roles/cloudkms.cryptoKeyEncrypterDecrypter on it to the Compute Engine service agent")
	} else {
		w.at("parameters", "kmsKeyId").asks("Which key of Cloud KMS stands for the key that encrypts its volumes?", "keys: {\""+key+"\": projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY}")
	}
	w.remove("a key of AWS", "parameters", "kmsKeyId")
}

func filesystem(w *work) {
	if !w.blockClass() {
		return
	}
	for _, p := range []string{"fsType", "fstype"} {
		if v := w.text("parameters", p); v != "" {
			w.set("the driver's name for it", v, "parameters", fsType)
			w.remove("the in-tree name for it", "parameters", p)
		}
	}
}

// regional says where a disk in two zones is to be had: EBS has none, so nobody could ask for one.
func regional(w *work) {
	if !w.blockClass() {
		return
	}
	zones := 0
	for i := range w.list("allowedTopologies") {
		for j := range w.list("allowedTopologies", strconv.Itoa(i), "matchLabelExpressions") {
			zones += len(w.list("allowedTopologies", strconv.Itoa(i), "matchLabelExpressions", strconv.Itoa(j), "values"))
		}
	}
	if zones > 1 {
		w.at("allowedTopologies").better("Its volumes may be in one of several zones; a regional disk is in two of them at once, and survives the loss of one.", "replication-type: regional-pd  # in the parameters of a class of its own, for twice the price")
	}
}

func classZones(w *work) {
	if !w.blockClass() && w.text("provisioner") != efs {
		return
	}
	for i := range w.list("allowedTopologies") {
		for j := range w.list("allowedTopologies", strconv.Itoa(i), "matchLabelExpressions") {
			path := []string{"allowedTopologies", strconv.Itoa(i), "matchLabelExpressions", strconv.Itoa(j)}
			switch w.text(join(path, "key")...) {
			case "topology.ebs.csi.aws.com/zone", "topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone":
				w.set("the driver's name for a zone", "topology.gke.io/zone", join(path, "key")...)
				w.zones(join(path, "values"))
			}
		}
	}
}

func provisioner(w *work) {
	if w.blockClass() {
		w.set("Persistent Disk and Hyperdisk stand for EBS", disks, "provisioner")
	}
}

func sharedFiles(w *work) {
	if w.text("provisioner") != efs {
		return
	}
	w.set("Filestore stands for EFS", "filestore.csi.storage.gke.io", "provisioner")
	for _, p := range keys(w.mapping(params...)) {
		w.remove("a parameter of EFS", join(params, p)...)
	}
	w.set("the smallest tier", "standard", "parameters", "tier")
	w.note("Each claim becomes a share of Filestore, of which the smallest has 1 TiB; access points of one EFS shared its bytes and its price.", "let the claims share one instance (multishares of the enterprise tier), or use sub-paths of one claim; name the network in the parameters if it is not default")
}

func objectFiles(w *work) {
	driver := w.text("provisioner")
	if w.Kind == "CSIDriver" {
		driver = w.Name
	}
	switch driver {
	case "fsx.csi.aws.com":
		w.blocks("FSx has no counterpart that takes its class.", "Managed Lustre, Filestore, or NetApp Volumes: write a class for the one that is chosen")
	case "s3.csi.aws.com":
		w.blocks("A bucket as a volume is mounted by gcsfuse.csi.storage.gke.io.", "move the bucket, then mount it with a volume of that driver and the annotation gke-gcsfuse/volumes: \"true\" on the pod")
	default:
		return
	}
	w.drop("a driver of AWS")
}

// volume strips what binds to bytes that stay with AWS.
func volume(w *work) {
	if w.Kind == "PersistentVolume" {
		driver := w.text("spec", "csi", "driver")
		if w.mapping("spec", "awsElasticBlockStore") == nil && !strings.HasSuffix(driver, ".csi.aws.com") {
			return
		}
		claim := w.text("spec", "claimRef", "namespace") + "/" + w.text("spec", "claimRef", "name")
		if claim == "/" {
			claim = "nobody"
		}
		w.tell("Its bytes are on AWS; it is not carried over. It belongs to " + claim + ".")
		w.drop("its bytes are on AWS")
		return
	}
	bound := w.text("spec", "volumeName") != ""
	for _, k := range keys(w.mapping(annotations...)) {
		if strings.HasPrefix(k, "pv.kubernetes.io/") || strings.HasPrefix(k, "volume.kubernetes.io/") || strings.HasPrefix(k, "volume.beta.kubernetes.io/storage-provisioner") {
			bound = true
			w.remove("it binds to a volume on AWS", join(annotations, k)...)
		}
	}
	w.remove("it binds to a volume on AWS", "spec", "volumeName")
	name := w.Namespace + "/" + w.Name
	switch w.in.Decisions.Volumes[name] {
	case decision.Replicate:
		w.note("It starts empty, and the application replicates into it.", "see that the replication is done before the switch")
	case decision.Hook:
		w.note("It starts empty, and a hook of the round copies its bytes.", "name the hook in bascule.yaml")
	case decision.Empty:
		w.tell("It starts empty, as was decided.")
	default:
		what := "Nobody has moved its bytes."
		if !bound {
			what = "If the source has bytes in it, nobody has moved them."
		}
		w.asks(what+" What becomes of them?", "volumes: {\""+name+"\": replicate}  # or hook, or empty")
	}
}

// className makes a class where the source's platform brought one along.
func className(w *work) {
	names := map[string]bool{w.text("spec", "storageClassName"): true}
	for i := range w.list("spec", "volumeClaimTemplates") {
		names[w.text("spec", "volumeClaimTemplates", strconv.Itoa(i), "spec", "storageClassName")] = true
	}
	for _, name := range keys(names) {
		disk := w.in.Profile.Disk(name)
		if disk == nil || w.in.find("StorageClass", "", name) != nil {
			continue
		}
		w.make("claims keep the name of their class, so that StatefulSets stay as they are", map[string]any{
			"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": map[string]any{"name": name},
			"provisioner": disks, "parameters": map[string]any{"type": disk.To}, "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": true, "reclaimPolicy": "Delete",
		})
		w.tell("The class " + name + " is not among the objects; one of that name is made: " + disk.To + ", " + disk.Note + ".")
	}
}
