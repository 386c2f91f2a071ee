package estate

import (
	"bytes"
	"strings"
	"testing"
)

// A commit changes the source; with override people write a file of that name beside it.
type commit struct {
	name     string
	change   func(t *testing.T, source map[string][]byte)
	override string
}

// commits are what happens to a source in a month or two.
var commits = []commit{
	{name: "bump the image of checkout", change: replace("trade/checkout.yaml", "trade/checkout:6.3.1", "trade/checkout:6.3.2")},
	{name: "more memory for search", change: replace("shop/search.yaml", "memory: 2Gi", "memory: 3Gi")},
	{name: "one replica more of orders", change: replace("trade/orders.yaml", "replicas: 5", "replicas: 6")},
	{name: "a comment", change: replace("shop/cart.yaml", "spec:\n  replicas", "spec:\n  # see the runbook of carts\n  replicas")},
	{name: "returns moves to the partners' load balancer", change: replace("trade/returns.yaml", "group.name: public", "group.name: partners")},
	{name: "edit the mailer's configuration", change: replace("customers/mailer.yaml", "port = 587", "port = 465"), override: "mailer.yaml"},
	{name: "add a service: gift cards", change: add("shop/gift-cards.yaml", gift)},
	{name: "gift cards gets an image", change: replace("shop/gift-cards.yaml", "gift-cards:0.1.0", "gift-cards:0.2.0")},
	{name: "a variable for pricing", change: replace("shop/pricing.yaml", "        - {name: LOG_LEVEL, value: info}\n        - {name: ENV", "        - {name: LOG_LEVEL, value: info}\n        - {name: ROUNDING, value: half-even}\n        - {name: ENV")},
	{name: "a variable of AWS goes from reviews", change: replace("shop/reviews.yaml", "        - {name: AWS_REGION, value: eu-west-1}\n", "")},
	{name: "media leaves spot nodes", change: replace("shop/media.yaml", "karpenter.sh/capacity-type: spot", "eks.amazonaws.com/nodegroup: general")},
	{name: "split payments.yaml in two", change: split("payments/payments.yaml", "payments/payments-objects.yaml")},
	{name: "move a file to another folder", change: move("data/exports.yaml", "data/feeds/exports.yaml")},
	{name: "the cron of prices runs later", change: replace("shop/pricing.yaml", "15 2 * * *", "45 3 * * *")},
	{name: "suspend the stocktake by hand", change: replace("workshop/warehouse.yaml", "  concurrencyPolicy: Forbid", "  suspend: true\n  concurrencyPolicy: Forbid")},
	{name: "the left-over job goes", change: without("shop/search-indexer.yaml", "kind: Job")},
	{name: "rename the namespace workshop to refurb", change: everywhere("namespace: workshop", "namespace: refurb", "metadata:\n  name: workshop\n", "metadata:\n  name: refurb\n")},
	{name: "remove trade-in", change: remove("workshop/trade-in.yaml")},
	{name: "HPA of catalogue becomes v2", change: replace("shop/catalogue.yaml", "autoscaling/v2beta2", "autoscaling/v2")},
	{name: "PDB of orders becomes v1", change: replace("trade/orders.yaml", "policy/v1beta1", "policy/v1")},
	{name: "a sidecar for events", change: replace("data/events.yaml", "      containers:\n", "      containers:\n      - {name: buffer, image: \"redis:7.4\", resources: {requests: {cpu: 50m, memory: 64Mi}}}\n"), override: "events.yaml"},
	{name: "storefront's cookie lasts a day", change: replace("shop/storefront.yaml", "duration_seconds=3600", "duration_seconds=86400")},
	{name: "the volume of rabbitmq grows", change: replace("workshop/rabbitmq.yaml", "storage: 50Gi", "storage: 80Gi")},
	{name: "the NLB of sftp becomes internal", change: replace("sellers/sftp.yaml", "aws-load-balancer-scheme: internet-facing", "aws-load-balancer-scheme: internal")},
	{name: "payouts may reach one range more", change: replace("payments/payouts.yaml", "  egress:\n", "  egress:\n  - to: [{ipBlock: {cidr: 198.51.100.0/24}}]\n")},
	{name: "fraud gets a role of its own", change: replace("payments/fraud.yaml", "role/mkt-eu-fraud", "role/mkt-eu-payments")},
	{name: "a flag is flipped by hand", change: replace("by-hand/flags.yaml", "search.synonyms: \"on\"", "search.synonyms: \"off\"")},
	{name: "bump every image of payments", change: everywhere("payments/payments:11.4.0", "payments/payments:11.4.1")},
	{name: "gift cards is given up", change: remove("shop/gift-cards.yaml")},
	{name: "write a file anew with Windows' line ends", change: func(t *testing.T, s map[string][]byte) {
		t.Helper()
		s["shop/cart.yaml"] = bytes.ReplaceAll(s["shop/cart.yaml"], []byte("\n"), []byte("\r\n"))
	}},
}

const gift = `# gift-cards: what one gives when one knows nothing better
apiVersion: apps/v1
kind: Deployment
metadata: {name: gift-cards, namespace: shop, labels: {app: gift-cards}}
spec:
  replicas: 2
  selector: {matchLabels: {app: gift-cards}}
  template:
    metadata: {labels: {app: gift-cards}}
    spec:
      nodeSelector: {eks.amazonaws.com/nodegroup: general}
      containers:
      - name: gift-cards
        image: 111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/gift-cards:0.1.0
---
apiVersion: v1
kind: Service
metadata: {name: gift-cards, namespace: shop}
spec: {selector: {app: gift-cards}, ports: [{name: http, port: 8080}]}
`

// replace puts other texts in the places of some, each of which has to be there.
func replace(file string, pairs ...string) func(*testing.T, map[string][]byte) {
	return func(t *testing.T, s map[string][]byte) {
		t.Helper()
		for i := 0; i < len(pairs); i += 2 {
			if !bytes.Contains(s[file], []byte(pairs[i])) {
				t.Fatalf("%s has no %q", file, pairs[i])
			}
			s[file] = bytes.ReplaceAll(s[file], []byte(pairs[i]), []byte(pairs[i+1]))
		}
	}
}

func everywhere(pairs ...string) func(*testing.T, map[string][]byte) {
	return func(t *testing.T, s map[string][]byte) {
		t.Helper()
		for name, text := range s {
			s[name] = []byte(strings.NewReplacer(pairs...).Replace(string(text)))
		}
	}
}

func add(file, text string) func(*testing.T, map[string][]byte) {
	return func(_ *testing.T, s map[string][]byte) { s[file] = []byte(text) }
}

func remove(file string) func(*testing.T, map[string][]byte) {
	return func(t *testing.T, s map[string][]byte) {
		t.Helper()
		if s[file] == nil {
			t.Fatalf("there is no %s", file)
		}
		delete(s, file)
	}
}

func move(from, to string) func(*testing.T, map[string][]byte) {
	return func(t *testing.T, s map[string][]byte) {
		t.Helper()
		text := s[from]
		remove(from)(t, s)
		s[to] = text
	}
}

// split leaves the first half of a file's documents in it, and puts the others into a second file.
func split(file, second string) func(*testing.T, map[string][]byte) {
	return func(t *testing.T, s map[string][]byte) {
		t.Helper()
		docs := bytes.SplitAfter(s[file], []byte("\n---\n"))
		n := len(docs) / 2
		s[file], s[second] = bytes.Join(docs[:n], nil), bytes.Join(docs[n:], nil)
	}
}

// without takes the documents away that contain a text.
func without(file, text string) func(*testing.T, map[string][]byte) {
	return func(t *testing.T, s map[string][]byte) {
		t.Helper()
		var kept [][]byte
		for doc := range bytes.SplitSeq(append(bytes.Clone(s[file]), '\n'), []byte("\n---\n")) {
			if !bytes.Contains(doc, []byte(text)) {
				kept = append(kept, doc)
			}
		}
		s[file] = append(bytes.Join(kept, []byte("\n---\n")), '\n')
	}
}
