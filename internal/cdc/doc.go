// Package cdc makes FHIR of the changes of a hospital's database, as tools for change data capture write them.
//
// Read it in this order: envelope.go, one change of one row; transaction.go, which brings the changes of a
// transaction together and says when and in which order transactions can be taken; mapping.go, template.go and
// function.go, what a site declares of its tables; apply.go, which makes of a transaction what it states about
// each patient, all of it or nothing.
//
// The package is pure: who reads the log, keeps the rows and writes is package source.
package cdc
