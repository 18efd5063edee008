package rules
import ("testing";"fmt")
func TestSmoke(t *testing.T){
 p,err:=Compile(readFiles(t, "testdata/good/renal.yaml","testdata/good/nsaids.json"), CompileOptions{})
 if err!=nil{t.Fatal(err)}
 for _,r:=range p.Rules{fmt.Println(r.ID,r.When,r.Atoms,r.Terms,r.Message.Source)}
 for _,a:=range p.Atoms{fmt.Println(a.ID,a.Source,a.code.direct)}
 for _,in:=range p.Inputs{fmt.Println(in.ID,in.Name,in.Type,in.Where,in.Plain())}
}
