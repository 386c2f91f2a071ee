package cli

import (
	"github.com/spf13/cobra"
)

// db groups the commands that move one database.
func (a *app) db() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "db",
		Short: "Move one MySQL or MariaDB database into PostgreSQL",
		Long: `Moves one MySQL or MariaDB database into one schema of a PostgreSQL database.

  plan      read the source, say what becomes of everything   writes nothing
  check     look at both servers and accounts                 writes nothing
  copy      make the schema, copy the rows, build the keys    writes to the target
  follow    apply the source's changes as they come           writes to the target
  verify    compare both sides                                writes nothing
  cutover   bring the application to the target               closes the source, opens the target
  fallback  keep the source current, or go back to it         writes to the source
  finish    end the way back                                  writes to the target
  run       all of these, as far as they may go
  status    say how far a copy is                             writes nothing
  drop      remove what copy made                             writes to the target
  spool     look after the copy of the source's binlog        writes to a local folder

Until the cutover the source is never written to. A copy may be interrupted and started again, and several
processes may share it: each takes the next piece from the ledger in the target.`,
		Args: onlyCommands,
		RunE: help,
	}
	cmd.AddCommand(a.dbPlan(), a.dbCheck(), a.dbCopy(), a.dbFollow(), a.dbVerify(), a.dbCutover(), a.dbFallback(), a.dbFinish(), a.dbRun(), a.dbStatus(), a.dbDrop(), a.dbSpool())
	return cmd
}
