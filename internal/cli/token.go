package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/bascule/bascule/internal/fault"
	"github.com/bascule/bascule/internal/platform"
	"github.com/bascule/bascule/internal/round/store"
)

func (a *app) token() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Let people act from elsewhere: make, list and revoke their tokens",
		Long: `Makes tokens by which people act in the dashboard, or on the command line through BASCULE_TOKEN. What
they may do stands under people in bascule.yaml. A token is shown once; the journal keeps its hash.

` + exitCodesShort(),
		Args: onlyCommands,
		RunE: help,
	}
	cmd.PersistentFlags().StringVar(&a.file, "file", platformFile, "the `FILE` that describes the platform")
	cmd.AddCommand(a.tokenAdd(), a.tokenList(), a.tokenRevoke())
	return cmd
}

// hashToken is what the journal keeps of a token.
func hashToken(secret string) string { return digest([]byte(secret)) }

// tokenDays is how long a token lives unless told otherwise.
const tokenDays = 30

func (a *app) tokenAdd() *cobra.Command {
	days := tokenDays
	cmd := &cobra.Command{
		Use: "add PERSON", Short: "Make a token, and show it once",
		Long:    "Makes a token for somebody who stands under people in bascule.yaml, and shows it once.\n\n" + exitCodesShort(),
		Example: "  bascule token add kim --days 7",
		Args:    onePerson,
		RunE: func(cmd *cobra.Command, args []string) error {
			if days < 1 {
				return usage(cmd, "read --days", fmt.Errorf("%d is no number of days", days))
			}
			return a.atDesk(cmd, func(ctx context.Context, d *desk) error {
				if !slices.ContainsFunc(d.platform.People, func(p platform.Person) bool { return p.Name == args[0] }) {
					return fault.New(fault.Usage, "make a token", fmt.Errorf("%q does not stand under people in %s", args[0], d.file), "name them there, with their roles")
				}
				secret := rand.Text()
				now := d.now().UTC()
				t := store.Token{ID: rand.Text()[:8], Person: args[0], Hash: hashToken(secret), Created: now, Expires: now.Add(time.Duration(days) * 24 * time.Hour)}
				if err := d.store.AddToken(ctx, t); err != nil {
					return err
				}
				if d.json {
					(&objects{out: d.out, now: d.now}).write("summary", struct {
						store.Token
						Secret string `json:"secret"`
					}{t, secret})
					return nil
				}
				_, err := fmt.Fprintf(d.out, "token %s of %s, until %s:\n\n  %s\n\nIt is shown this once. bascule token revoke %s ends it.\n", t.ID, t.Person, t.Expires.Format("2006-01-02 15:04 UTC"), secret, t.ID)
				return err
			})
		},
	}
	cmd.Flags().IntVar(&days, "days", tokenDays, "for how many `DAYS` it is good")
	return cmd
}

func onePerson(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage(cmd, "read the command line", errors.New("name one"))
	}
	return nil
}

func (a *app) tokenList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List tokens: whose, and until when",
		Long: "Lists all tokens, those that have expired or were revoked too.\n\n" + exitCodesShort(),
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.atDesk(cmd, func(ctx context.Context, d *desk) error {
				tokens, err := d.store.Tokens(ctx)
				if err != nil {
					return err
				}
				if d.json {
					(&objects{out: d.out, now: d.now}).write("summary", struct {
						Tokens []store.Token `json:"tokens"`
					}{tokens})
					return nil
				}
				for i := range tokens {
					t := &tokens[i]
					state := "until " + t.Expires.Format("2006-01-02 15:04 UTC")
					switch {
					case !t.Revoked.IsZero():
						state = "revoked " + t.Revoked.Format("2006-01-02 15:04 UTC")
					case !t.Expires.After(d.now()):
						state = "expired " + t.Expires.Format("2006-01-02 15:04 UTC")
					}
					if _, err := fmt.Fprintf(d.out, "%s  %s  %s\n", t.ID, left(t.Person, 16), state); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

func (a *app) tokenRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke TOKEN", Short: "End a token at once",
		Long: "Ends a token, by the short name that bascule token list shows.\n\n" + exitCodesShort(),
		Args: onePerson,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.atDesk(cmd, func(ctx context.Context, d *desk) error {
				if err := d.store.RevokeToken(ctx, args[0]); err != nil {
					return err
				}
				_, err := fmt.Fprintf(d.out, "token %s is revoked\n", clean(args[0]))
				return err
			})
		},
	}
}
