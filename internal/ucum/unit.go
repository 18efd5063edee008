package ucum

// Unit is a unit of measure read by [Parse]. The zero Unit is the number one.
// A Unit is immutable: copy and share it freely.
type Unit struct {
	code string
	quantity
}

// String returns the code that the unit was read from.
func (u Unit) String() string {
	if u.code == "" {
		return "1"
	}
	return u.code
}

// Commensurable reports whether the two units measure the same kind of thing,
// so that [Between] can convert one to the other. Amount of substance,
// equivalents and osmoles are kinds of their own, see the package comment.
func (u Unit) Commensurable(v Unit) bool { return u.dims == v.dims }

// Dimensionless reports whether the unit is a pure number, such as %, 10*3 or
// {score}.
func (u Unit) Dimensionless() bool { return u.dims == dimensions{} }

// TimeExponent is the power of time in the unit's dimension: -1 of mL/h and of Bq, -2 of kcal, 0 of mg, 1 of h.
func (u Unit) TimeExponent() int { return int(u.dims[timeDimension]) }

// The dimensions: the standard's base units, then the amounts that this package
// keeps apart, then one for each arbitrary unit.
const (
	amountsStart   = len(baseTable)
	arbitraryStart = amountsStart + len(amounts)
	dimensionCount = arbitraryStart + arbitraryCount
)

// amounts are the units that the standard defines as numbers and that are
// dimensions here. The package comment says why.
var amounts = [...]string{"mol", "eq", "osm"}

// dimensions holds the exponent of each dimension. The limits on a code's length
// and exponents keep every exponent far inside an int16.
type dimensions [dimensionCount]int16

// quantity is the value of a term: how large, of what. For a special unit, dims
// are those of its reference and size is the factor on the special scale (a
// tenth for dB).
type quantity struct {
	size    magnitude
	dims    dimensions
	special *special
}

// times returns q·r, or q/r when divide. It returns false when a special unit
// stands where it has no meaning.
func (q quantity) times(r quantity, divide bool) (quantity, bool) {
	if q.special != nil || r.special != nil {
		switch {
		case q.special != nil && r.special != nil:
			return q, false
		case r.special == nil && r.dims != dimensions{}:
			return q, false
		case r.special != nil && (divide || q.dims != dimensions{}):
			return q, false
		}
	}
	if r.special != nil {
		q.special = r.special
	}
	sign := int16(1)
	if divide {
		sign = -1
		r.size = r.size.inverse()
	}
	q.size = q.size.mul(r.size)
	for i, n := range r.dims {
		q.dims[i] += sign * n
	}
	return q, true
}

// pow returns q to the power n. It returns false for a special unit.
func (q quantity) pow(n int) (quantity, bool) {
	if q.special != nil {
		return q, false
	}
	q.size = q.size.pow(n)
	for i := range q.dims {
		q.dims[i] *= int16(n)
	}
	return q, true
}
