package crd

import (
	"fmt"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// compiled is one version of a kind, compiled at its first use: a platform uses few of the kinds that a folder defines, and a large schema takes 50 ms.
type compiled struct {
	kind       Kind
	namespaced bool
	props      *v1.JSONSchemaProps

	once       sync.Once
	err        error
	structural *schema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator // nil where there is no rule
}

// ready compiles, once.
func (c *compiled) ready() error {
	c.once.Do(func() {
		if err := c.compile(); err != nil {
			c.err = fmt.Errorf("compile the schema of %s: %w", c.kind, err)
		}
	})
	return c.err
}

func (c *compiled) compile() error {
	var props apiextensions.JSONSchemaProps
	if err := v1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(c.props, &props, nil); err != nil {
		return err
	}
	structural, err := schema.NewStructural(&props)
	if err != nil {
		return err
	}
	if errs := schema.ValidateStructural(nil, structural); len(errs) > 0 {
		return errs.ToAggregate()
	}
	// Defaults that stand in objects which the schema would prune are dropped, as the API server does.
	if err := defaulting.PruneDefaults(structural); err != nil {
		return err
	}
	validator, _, err := validation.NewSchemaValidator(&props)
	if err != nil {
		return err
	}
	c.structural, c.schema = structural, validator
	c.rules = cel.NewValidator(structural, true, celconfig.PerCallLimit)
	return nil
}
