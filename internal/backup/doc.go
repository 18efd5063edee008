// Package backup keeps copies of what a data directory holds, in a directory of its own that is called a
// vault.
//
// A backup is a manifest, which lists files with their SHA-256, and objects, which are those files' contents
// under their SHA-256: what two backups have in common is there once. A file that the backup before has
// with the same name, size and time is not read again; a database's tables never change under their names,
// so that a backup costs what is new.
//
//	VAULT/objects/3f/3fa9…           contents
//	VAULT/backups/20260301T100000Z   manifests, by the time of the backup
//
// The files must not change while they are copied, or only grow: the caller gives checkpoints of databases,
// and logs in such an order that none says more than the one copied after it.
package backup
