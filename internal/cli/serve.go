package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/web"
)

func (a *app) serve() *cobra.Command {
	var listen string
	var readonly bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Show rounds in a browser: the dashboard",
		Long: `Shows the platform's rounds in a browser, live: what runs, for how long writes have been stopped, who
is waited for, what turning back costs, how far each database is. It works without a network.

On a loopback address anybody may look, and acts by a token (bascule token add). On any other address
it needs a certificate, or a named reverse proxy that has one, and a token to look too; both stand
under serve in bascule.yaml. /metrics is for Prometheus, /healthz for whoever watches.

` + exitCodesShort(ExitConnect),
		Example: "  bascule serve\n  bascule serve --listen 127.0.0.1:9000 --read-only",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.atDesk(cmd, func(ctx context.Context, d *desk) error { return d.serveAt(ctx, listen, readonly) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.file, "file", platformFile, "the `FILE` that describes the platform")
	f.StringVar(&listen, "listen", "", "`HOST:PORT` to listen at; without it, what bascule.yaml says, or 127.0.0.1:8437")
	f.BoolVar(&readonly, "read-only", false, "take no word from anybody")
	return cmd
}

func (d *desk) serveAt(ctx context.Context, listen string, readonly bool) error {
	if listen == "" {
		listen = d.platform.ListenAddress()
	}
	op := "serve at " + listen
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fault.New(fault.Usage, op, err, "say host:port, such as 127.0.0.1:8437")
	}
	secured, err := d.secured()
	if err != nil {
		return err
	}
	o := web.Options{Store: d.store, Platform: d.platform, Now: d.now, Log: d.log, Readonly: readonly, Version: programVersion(), Past: d.past}
	local := host == "localhost" || net.ParseIP(host).IsLoopback()
	proxied := d.platform.Serve != nil && d.platform.Serve.Proxy != ""
	if !local && secured == nil && !proxied {
		return fault.New(fault.Usage, op, errors.New("other machines could listen in"),
			"name cert and key under serve in "+d.file+", or the proxy that has them; or listen at a loopback address")
	}
	if !local || proxied {
		// By which name clients call it only their proxy or their DNS knows; without a token nobody sees anything then.
		o.Hosts = []string{web.AnyHost}
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return fault.New(fault.Usage, op, err, "choose another address with --listen")
	}
	scheme := "http"
	if secured != nil {
		scheme = "https"
	}
	if _, err := fmt.Fprintf(d.out, "the dashboard is at %s://%s\n", scheme, ln.Addr()); err != nil {
		return err
	}
	return web.Serve(ctx, ln, web.Handler(o), secured)
}

// secured is how TLS is spoken; nil for not at all.
func (d *desk) secured() (*tls.Config, error) {
	s := d.platform.Serve
	if s == nil || s.Cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(d.path(s.Cert), d.path(s.Key))
	if err != nil {
		return nil, fault.New(fault.Usage, "read the certificate under serve in "+d.file, err, "cert and key are files in PEM")
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}
