package tree

import (
	"path"
	"strings"
)

// helm is the folder of what Helm runs.
const helm = "helm"

// postRenderer is how Helm itself applies the patches of releases: Helm 3 runs the script, Helm 4 the same as a plugin.
func postRenderer(environment string) Files {
	plugin := "bascule-" + strings.ReplaceAll(environment, ".", "-")
	return Files{
		path.Join(helm, "post-render"): []byte(strings.NewReplacer("@ENVIRONMENT@", environment, "@PLUGIN@", plugin).Replace(postRender)),
		path.Join(helm, "plugin.yaml"): []byte(strings.NewReplacer("@ENVIRONMENT@", environment, "@PLUGIN@", plugin).Replace(pluginYAML)),
	}
}

const pluginYAML = `# Written by bascule kube translate, which writes it anew. For Helm 4: ln -s FOLDER-OF-THIS-FILE "$(helm env HELM_PLUGINS)/@PLUGIN@", then
# helm upgrade NAME CHART --post-renderer @PLUGIN@ --post-renderer-args NAMESPACE/NAME --post-renderer-args standby
# Helm 4 keeps what a plugin says to itself. To see why it refuses: helm template NAME CHART ... | FOLDER-OF-THIS-FILE/post-render NAMESPACE/NAME standby
apiVersion: v1
type: postrenderer/v1
name: @PLUGIN@
version: 1.0.0
runtime: subprocess
runtimeConfig:
  platformCommand:
  - command: ${HELM_PLUGIN_DIR}/post-render
`

const postRender = `#!/bin/sh
# Written by bascule kube translate, which writes it anew. It reads what Helm has rendered for a release, and prints it with the patches of @ENVIRONMENT@.
#
#   post-render NAMESPACE/NAME standby|live|mirror
#
# Helm 3: helm upgrade NAME CHART --post-renderer PATH/post-render --post-renderer-args NAMESPACE/NAME --post-renderer-args standby
# Helm 4: as a plugin, see plugin.yaml. Helm 3 sends no hooks here: in standby deploy with --no-hooks.
set -eu

fail() {
  echo "post-render: $1" >&2
  exit 1
}

[ $# -eq 2 ] || fail "say which release, NAMESPACE/NAME, and which phase: standby, live or mirror"
here=$(cd "$(dirname "$0")" && pwd -P)
layer=$here/../releases/$1/$2
[ -f "$layer/kustomization.yaml" ] || fail "there is no $layer: translate again, or name another release or phase"
layer=$(cd "$layer" && pwd -P)
people=$here/../../../overrides/@ENVIRONMENT@/releases/$1/all
[ -d "$people" ] || fail "there is no $people: run it where the tree is, and let Helm 4 install the plugin from there"
people=$(cd "$people" && pwd -P)

work=$(mktemp -d)
work=$(cd "$work" && pwd -P)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
# Kustomize takes folders by relative paths only.
up=$(printf '%s' "$work" | sed 's:[^/][^/]*:..:g; s:^/::')

cat >"$work/rendered.yaml"
{
  printf 'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [rendered.yaml]\ncomponents:\n- "%s"\n' "$up$layer"
  [ "$2" = mirror ] || printf -- '- "%s"\n' "$up$people"
} >"$work/kustomization.yaml"
if command -v kustomize >/dev/null; then
  kustomize build "$work"
else
  kubectl kustomize "$work"
fi
`

// chartText is what people deploy by Kustomize, or by Argo CD with its option --enable-helm: the chart, and the layers on top.
func chartText(environment, id, phase, when, repo, chart, version string) []byte {
	namespace, name, _ := strings.Cut(id, "/")
	var b strings.Builder
	b.WriteString("# Yours: bascule has created it once and never writes it again. This is what to apply " + when + ", for the release " + id + ":\n" +
		"# kustomize build --enable-helm, or Argo CD with that option. Put the files of values into this folder, and name them.\n" +
		"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nhelmCharts:\n" +
		"- name: " + quoted(chart) + "\n  repo: " + quoted(repo) + "\n")
	if version != "" {
		b.WriteString("  version: " + quoted(version) + "\n")
	}
	b.WriteString("  releaseName: " + quoted(name) + "\n  namespace: " + quoted(namespace) + "\n  skipTests: true\n  # valuesFile: values.yaml\n  # additionalValuesFiles: []\n" +
		"components:\n- ../../../../../../" + path.Join(generated, environment, releases, id, phase) + "\n- ../all\n")
	return []byte(b.String())
}

// quoted writes text so that YAML takes it for text.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
