package translate

import "strings"

// What a check of manifests looks for too stands here, so that it means the same in both.

// Addresses returns what only makes sense on AWS in a text: ARNs, names of hosts, buckets. Nothing else of the text is returned, for it may hold passwords.
func Addresses(text string) []string {
	for _, part := range []string{"aws", "s3", "cloudfront"} { // what every address has; most texts have none, and are soon done with
		if strings.Contains(text, part) {
			return address.FindAllString(text, -1)
		}
	}
	return nil
}

// AddressOf says what an address belongs to, as far as it tells.
func AddressOf(address string) string { return service(address) }

// AWSKey says whether a label, an annotation, a taint or a resource belongs to AWS, kops or Karpenter.
func AWSKey(key string) bool { return awsKey(key) }

// AWSGroup says whether only AWS, kops or Karpenter serve a group of APIs.
func AWSGroup(group string) bool { return foreignAPI.MatchString(group) }

// Walk visits values from the outside in, mappings in the order of their keys, until visit says false for what holds them: mappings, lists and text.
// The path is only good during the visit.
func Walk(v any, visit func(path []string, v any) bool) { walk(v, nil, visit) }
